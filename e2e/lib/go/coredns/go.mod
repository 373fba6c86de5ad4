module streamjob.dev/e2e/coredns

go 1.26.8
