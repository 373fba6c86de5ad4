# SPDX-License-Identifier: Apache-2.0
# Compiler settings, third-party targets and the two functions every folder uses: sj_library and sj_test.

find_program(SJ_CCACHE ccache)
if(SJ_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${SJ_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SJ_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(cpprestsdk REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(RocksDB REQUIRED)
find_package(CLI11 REQUIRED)
find_package(pugixml REQUIRED)
find_package(absl REQUIRED)
find_package(GTest REQUIRED)
find_package(Boost REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)

add_library(sj_flags INTERFACE)
target_include_directories(sj_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(sj_flags INTERFACE -Wall -Wextra -Werror -fno-omit-frame-pointer
  -fstack-protector-strong $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wthread-safety>)
target_compile_definitions(sj_flags INTERFACE _GLIBCXX_ASSERTIONS)
target_link_libraries(sj_flags INTERFACE Threads::Threads)
if(SJ_SANITIZE)
  target_compile_options(sj_flags INTERFACE -fsanitize=${SJ_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(sj_flags INTERFACE -fsanitize=${SJ_SANITIZE})
endif()

# sj_library(NAME SOURCES a.cc... [DEPS lib...] [PRIVATE_DEPS lib...])
# A folder's library. DEPS are what its headers need, PRIVATE_DEPS what only its sources need.
function(sj_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC sj_flags ${A_DEPS} PRIVATE ${A_PRIVATE_DEPS})
endfunction()

# The one object that knows where the tree lies: all others are found in the compiler cache from any clone.
add_library(sj_source_dir STATIC api/base/testing/source_dir.cc)
target_link_libraries(sj_source_dir PRIVATE sj_flags)
target_compile_definitions(sj_source_dir PRIVATE SJ_SOURCE_DIR="${CMAKE_SOURCE_DIR}")

# sj_test(NAME SOURCES a_test.cc... DEPS lib...)
# One GoogleTest binary per folder. Registered with ctest; scripts/run_tests counts its cases.
function(sj_test name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_DEPS} sj_source_dir GTest::gmock GTest::gtest_main sj_flags)
  add_test(NAME ${name} COMMAND ${name})
  set_property(GLOBAL APPEND PROPERTY SJ_TEST_TARGETS ${name})
endfunction()

# sj_fuzz(NAME SOURCES a_fuzz.cc DEPS lib... SEEDS folder): a libFuzzer target, built only with SJ_FUZZ. SEEDS, inputs to
# start from below the target's folder, is read by scripts/test.
function(sj_fuzz name)
  cmake_parse_arguments(A "" "SEEDS" "SOURCES;DEPS" ${ARGN})
  if(SJ_FUZZ)
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_DEPS} sj_flags)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer,address,undefined)
  endif()
endfunction()
