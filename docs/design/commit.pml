// SPDX-License-Identifier: Apache-2.0
// One ordinal's two alternating transactional ids against Kafka's coordinator, as a Promela model:
// fencing in the order a, b, a, requests that are sent twice and arrive late, answers that are lost,
// a predecessor that does not know it was replaced, and idle epochs. It shows what protocol.pml takes for
// granted: after the fence no commit of a predecessor follows the read of the committed offsets, and
// a commit is whole. 0004-model.md maps it to the code. M_* macros are mutations of the design.
//
// With SWITCH the worker of another ordinal takes the one unit over in a new generation, after
// fencing this ordinal; with HAND it takes it by hand-over, after the release mark.

#ifndef EPOCHS
#define EPOCHS 4     // commits
#endif
#ifndef REPEATS
#define REPEATS 2    // EndTxn requests the library sends twice
#endif
#ifndef LIVES
#define LIVES 2      // of each process
#endif
#ifndef PROCS
#define PROCS 2
#endif
#ifndef IDLE
#define IDLE 1       // epochs of a life in which nothing happens: no commit, and the other id is next
#endif
#define RECORDS 2    // of an epoch, written one by one
#define NOBODY 255
#define TAKER PROCS  // the worker of the other ordinal; its own id is contested by nobody

// --- the coordinator, by id -------------------------------------------------------------------------
byte holder[2] = NOBODY;  // the process whose producer has the newest epoch of the id
byte written[2];          // records of the open transaction
byte from[2];             // the state they were computed from
bool offsets[2];          // TxnOffsetCommit was taken
bool prepared[2];         // decided, its markers are not written yet
bool ending[2];           // EndTxn of the newest producer epoch is under way
bool stray[2];            // and a second copy of one
byte committed;           // epochs; the committed offset in this model
byte repeats = REPEATS;
bool mark;                // the release mark in the committed metadata
bool gives[2];            // the open transaction carries it
bool newer;               // the next generation is written

inline Clear(i) {
  written[i] = 0; from[i] = 0; offsets[i] = false; prepared[i] = false; ending[i] = false; gives[i] = false
}

// init_transactions: waits for what is decided, aborts the rest, raises the producer epoch: requests
// of the one before are refused from now on.
inline Init(i) {
  d_step {
    !prepared[i];
    Clear(i);
    stray[i] = false;
    holder[i] = p
  }
}

inline EndTxn(i) {
  if
  :: written[i] > 0 || offsets[i] -> prepared[i] = true
  :: else  // nothing is open: refused
  fi
}

proctype Coordinator() {
  byte i;
  do
  :: d_step { ending[0] -> ending[0] = false; EndTxn(0) }
  :: d_step { ending[1] -> ending[1] = false; EndTxn(1) }
  :: d_step { stray[0] && !prepared[0] -> stray[0] = false; EndTxn(0) }
  :: d_step { stray[1] && !prepared[1] -> stray[1] = false; EndTxn(1) }
  :: d_step {
       prepared[0] || prepared[1];
       i = (prepared[0] -> 0 : 1);
       assert(written[i] == RECORDS && offsets[i]);  // whole
       assert(from[i] == committed);                 // once
       committed++;
       mark = gives[i];
       Clear(i);
       i = 0
     }
  od
}

// The generation is asked for.
inline Check() {
  if
  :: newer -> goto over
  :: else
  fi
}

// One process: the task threads write epoch n + 1 (id `now`) while the epoch thread commits n.
proctype Worker(byte p) {
  byte life = LIVES, pos, done, step, now, last, idle;
  byte weak;  // the id taken after the other one was last known to be ours, or NOBODY
  bool suspicious, replaced, gave;
start:
  idle = IDLE;
#ifdef M_READ_BEFORE_FENCE
  atomic { !offsets[0] && !offsets[1] -> pos = committed }
#endif
#ifndef M_NO_FENCE
  Init(0);
  Init(1);
#ifndef M_ONE_A
  Init(0);
#endif
#else
  atomic { skip; holder[0] = p; holder[1] = p }
#endif
#ifndef M_READ_BEFORE_FENCE
  atomic { !offsets[0] && !offsets[1] -> pos = committed }  // stable: nothing pending
#endif
#ifndef M_NO_PROOF
  weak = NOBODY;
  if
  :: holder[1] == p  // a transaction of it that is begun and aborted: the broker checks its epoch
  :: else -> goto ended
  fi;
#endif
  Check();
  now = pos & 1;
  do
  :: d_step {  // a record of the next epoch; the broker checks the producer epoch
       pos < EPOCHS && holder[now] == p && done < RECORDS && !(step != 0 && last == now);
       from[now] = pos;
       written[now]++;
       done++
     }
  :: d_step {  // flushed: the epoch thread takes it over
       done == RECORDS && step == 0;
       last = now; step = 1; done = 0; now = 1 - now; pos++
     }
  :: step == 0 && done == 0 && idle > 0 && pos < EPOCHS -> d_step { idle--; now = 1 - now }
#ifndef M_NO_PROOF
  :: step == 1 && weak == last -> step = 9
  :: d_step { step == 1 && weak != last && holder[last] == p ->
#else
  :: d_step { step == 1 && holder[last] == p ->
#endif
       offsets[last] = true;
#ifdef HAND
       gives[last] = newer;
       gave = newer;
#endif
       step = 2
     }
  :: atomic {
       step == 2 && holder[last] == p ->
       ending[last] = true;
       step = 3;
       if
       :: repeats > 0 -> repeats--; stray[last] = true; suspicious = true
       :: skip
       fi
     }
  :: d_step {  // acknowledged
       step == 3 && holder[last] == p && !ending[last] && !prepared[last];
       weak = NOBODY;  // a commit of the other one proves it
       step = (suspicious -> 4 : 0);
#ifdef HAND
       step = (gave -> 9 : step)
#endif
     }
#if !defined(M_NO_REPLACE) && !defined(M_REPLACE_OFTEN)
  :: step == 4 && replaced -> step = 9  // once an attempt: two could bring back both ids
#endif
#if defined(M_NO_REPLACE) || defined(M_REPLACE_OFTEN)
  :: step == 4 ->
#else
  :: step == 4 && !replaced ->  // the producer is replaced before its next transaction
#endif
#ifndef M_NO_REPLACE
     Init(last);
#endif
     d_step { suspicious = false; replaced = true; weak = last; step = 0 }
  :: d_step { holder[now] != p && pos < EPOCHS && done < RECORDS -> step = 9 }  // fenced
  :: d_step { (step == 1 || step == 2 || step == 3) && holder[last] != p -> step = 9 }
#ifndef HAND
  :: newer -> break  // drains
#endif
  :: step == 9 -> break
  :: life > 1 -> break  // crash, or the attempt is given up
  :: pos == EPOCHS && step == 0 -> goto over
  od;
ended:
  atomic {
    life--;
    pos = 0; done = 0; step = 0; now = 0; last = 0; suspicious = false; replaced = false; gave = false;
    weak = 0;
    if
    :: life > 0 -> goto start
    :: else
    fi
  }
over:
  skip
}

// The worker of the other ordinal.
proctype Taker() {
  byte p = TAKER, pos;
  newer = true;
#ifdef HAND
  atomic { mark && !offsets[0] && !offsets[1] -> pos = committed }
#else
  Init(0);
  Init(1);
#ifndef M_ONE_A
  Init(0);
#endif
  atomic { !offsets[0] && !offsets[1] -> pos = committed }
#endif
  do
  :: d_step {
       pos < EPOCHS;
       assert(pos == committed);
       pos++;
       committed++;
       mark = false
     }
  :: pos >= EPOCHS -> break
  od
}

init {
  byte i;
  atomic {
    run Coordinator();
#if defined(SWITCH) || defined(HAND)
    run Taker();
#endif
    for (i : 0 .. PROCS - 1) {
      run Worker(i)
    }
    i = 0
  }
#ifdef W_ALL
  (committed == EPOCHS && repeats == 0) -> assert(false)
#endif
}
