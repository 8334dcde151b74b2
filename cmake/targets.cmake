# Flags every target shares, and one function a kind of target. The tree is the architecture: a folder is a library,
# its sources are whatever lies in it, and its link line states the only folders it may include (checked by
# cmake/check_includes.py).

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# What runs hot is generated code, so a sixth less compile time is worth more here than -O3. Libraries that are not HOT are content with -O1.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
find_program(CCACHE ccache)
if(CCACHE)
  # What a file depends on, it takes from what the compiler writes for ninja, instead of reading all headers once more; and it remembers what
  # it has hashed, for a precompiled header has 150 MB.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_DEPEND=1 CCACHE_INODECACHE=1 CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
find_package(Threads REQUIRED)

# -ffp-contract=off: the numerics contract (one rounding an operation) must not depend on what the compiler fuses.
# Sections: the shared libraries drop what nothing reaches from the public API.
add_compile_options(
  -Wall -Wextra -Werror=return-type -ffp-contract=off -fno-math-errno -ffunction-sections -fdata-sections)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # False positives of GCC 12 in std::string, std::optional and std::vector.
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  # The compiler looks for garbage of its own only from half a gigabyte on: a tenth of the time of a build.
  add_compile_options("SHELL:--param ggc-min-heapsize=524288")
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
  add_compile_options(-Wno-deprecated-declarations)  # of libstdc++ 12 inside of its own std::stable_sort
endif()
if(LAPIS_WERROR)
  add_compile_options(-Werror)
endif()
if(LAPIS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(LAPIS_SANITIZE)
  add_compile_options(-fsanitize=${LAPIS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND LAPIS_SANITIZE MATCHES address)
    add_compile_options(-fsanitize-address-use-after-return=never)  # a tenth of the time of the tests
  endif()
  add_link_options(-fsanitize=${LAPIS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND NOT LAPIS_FUZZ)
    # What the undefined behaviour sanitizer checks at every pointer is half of a build. The address sanitizer finds most of it; the fuzz
    # targets, which run all of the libraries, check the rest.
    add_compile_options(-fno-sanitize=alignment,function,null,object-size,pointer-overflow,vptr)
  endif()
endif()

# lapis_reads_headers_once(TARGET [header...]): reading the same headers for every file is a fifth of a build, and more than half of a
# sanitized one, so that a target reads these once: <theirs>, or ours, from the root of the tree. A target of a few files has them read sooner
# than precompiled. Without LAPIS_READ_ONCE every file reads what it includes itself, which checks that it includes what it needs.
option(LAPIS_READ_ONCE "Precompile the headers that most files of a target include" ON)
function(lapis_reads_headers_once target)
  get_target_property(sources ${target} SOURCES)
  list(LENGTH sources count)
  if(LAPIS_READ_ONCE AND count GREATER 9)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ REGEX "^[^<]")
    target_precompile_headers(
      ${target} PRIVATE <algorithm> <functional> <map> <memory> <optional> <set> <span> <sstream> <string> <unordered_map> <variant>
      <vector> ${ARGN})
    if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
      # A compiler cache brings back what was made for headers of another time: their content counts.
      target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
  endif()
endfunction()

# lapis_optimizes(TARGET HOT): see lapis_library.
function(lapis_optimizes target hot)
  if(hot AND LAPIS_SANITIZE)
    target_compile_options(${target} PRIVATE -O1)
  elseif(NOT hot)
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

# lapis_library(NAME [HOT] [SOURCES glob...] [EXCLUDE regex...] [PUBLIC targets...] [PRIVATE targets...] [READ_ONCE headers...])
# Library lapis_NAME of all .cpp under the calling folder, or of the given globs. PUBLIC is what its headers need,
# PRIVATE the rest; READ_ONCE goes to lapis_reads_headers_once. HOT: programs and tests spend their time in it, so that releases optimize it
# with -O2 and sanitized builds at all, which takes them twice the time.
function(lapis_library name)
  cmake_parse_arguments(ARG "HOT" "" "SOURCES;PUBLIC;PRIVATE;EXCLUDE;READ_ONCE" ${ARGN})
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES *.cpp)
  endif()
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${ARG_SOURCES})
  foreach(regex ${ARG_EXCLUDE})
    list(FILTER sources EXCLUDE REGEX ${regex})
  endforeach()
  if(NOT sources)
    add_library(lapis_${name} INTERFACE)
    target_link_libraries(lapis_${name} INTERFACE ${ARG_PUBLIC})
    return()
  endif()
  add_library(lapis_${name} STATIC ${sources})
  target_include_directories(lapis_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(lapis_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  lapis_reads_headers_once(lapis_${name} ${ARG_READ_ONCE})
  lapis_optimizes(lapis_${name} ${ARG_HOT})
endfunction()

# lapis_calls_generated_code(TARGET): clang checks every call through a pointer (-fsanitize=function) by a signature that it puts in
# front of functions. Generated code has none, and what lies in front of it may not even be mapped.
function(lapis_calls_generated_code target)
  if(LAPIS_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    target_compile_options(${target} PRIVATE -fno-sanitize=function)
  endif()
endfunction()

# lapis_test(NAME targets... [SHARDS n] [READ_ONCE headers...]): all .cpp in tests/NAME make one GoogleTest binary and one ctest entry, every
# *_test.py one entry more. SHARDS: under sanitizers so many entries NAME.1, NAME.2, ..., so that no core waits for one.
function(lapis_test name)
  cmake_parse_arguments(ARG "" "SHARDS" "READ_ONCE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.py)
  if(sources)
    add_executable(lapis_test_${name} ${sources})
    target_compile_definitions(
      lapis_test_${name} PRIVATE LAPIS_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LAPIS_BINARY_DIR="${PROJECT_BINARY_DIR}")
    # Tests name the options they mean and leave the rest at their defaults; EXPECT_* inside an unbraced if is no ambiguity. What runs
    # once is not worth the time to optimize it.
    target_compile_options(lapis_test_${name} PRIVATE -Wno-missing-field-initializers -Wno-dangling-else
                                                      $<$<CONFIG:Release>:-O1>)
    target_link_libraries(lapis_test_${name} PRIVATE ${ARG_UNPARSED_ARGUMENTS} GTest::gtest GTest::gmock GTest::gtest_main)
    if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)  # gcc takes longer for the headers than for the tests
      lapis_reads_headers_once(lapis_test_${name} <gtest/gtest.h> <gmock/gmock.h> ${ARG_READ_ONCE})
    endif()
    if(LAPIS_SANITIZE)
      target_compile_definitions(lapis_test_${name} PRIVATE LAPIS_SANITIZED)  # see tests/sanitized.h
    endif()
    if(LAPIS_SANITIZE AND ARG_SHARDS)
      foreach(shard RANGE 1 ${ARG_SHARDS})
        math(EXPR index "${shard} - 1")
        lapis_add_test(${name}.${shard} lapis_test_${name})
        set_property(TEST ${name}.${shard} APPEND PROPERTY ENVIRONMENT GTEST_TOTAL_SHARDS=${ARG_SHARDS} GTEST_SHARD_INDEX=${index})
      endforeach()
    else()
      lapis_add_test(${name} lapis_test_${name})
    endif()
  endif()
  foreach(script ${scripts})
    cmake_path(GET script STEM stem)
    lapis_add_test(${name}.${stem} ${LAPIS_PYTHON} ${script})
  endforeach()
endfunction()

# What tests find in their environment. Under sanitizers, which need address space without limit, no single allocation may have more
# than 3 GiB instead, and LAPIS_SANITIZE tells the tests in Python. A failed allocation is an exception for the code under test, which
# has to survive it, not the end of the process.
set(test_environment LAPIS_SOURCE_DIR=${PROJECT_SOURCE_DIR} LAPIS_BINARY_DIR=${PROJECT_BINARY_DIR})
if(LAPIS_SANITIZE)
  set(allocations allocator_may_return_null=1:max_allocation_size_mb=3072:malloc_context_size=2)
  list(APPEND test_environment LAPIS_SANITIZE=${LAPIS_SANITIZE} ASAN_OPTIONS=${allocations} TSAN_OPTIONS=${allocations}
       UBSAN_OPTIONS=print_stacktrace=1)
else()
  list(APPEND test_environment LAPIS_VERIFY_CODE=1)  # emits what is shared again, and compares
endif()

# lapis_add_test(NAME command...): a ctest entry that runs at the root of the tree, labelled with the part of NAME
# before the first dot.
function(lapis_add_test name)
  string(REGEX REPLACE "\\..*" "" label ${name})
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 900 ENVIRONMENT "${test_environment}")
endfunction()

# lapis_fuzz(NAME targets...): a libFuzzer binary of tests/fuzz/NAME_fuzz.cpp, part of the target `fuzzers`, and a ctest entry that fuzzes
# for LAPIS_FUZZ_SECONDS of the environment (30) and from one seed, from the inputs in tests/fuzz/corpus/NAME where there are any; models and arrays begin
# with those of tests/cases, models of other formats with those of tests/frontends.
function(lapis_fuzz name)
  add_executable(lapis_fuzz_${name} ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_fuzz.cpp)
  target_link_libraries(lapis_fuzz_${name} PRIVATE ${ARGN} -fsanitize=fuzzer)
  add_dependencies(fuzzers lapis_fuzz_${name})
  set(found ${PROJECT_BINARY_DIR}/fuzz/${name})
  file(MAKE_DIRECTORY ${found})
  file(GLOB corpus CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  if(name MATCHES "^(import|model|npy)$")
    list(APPEND corpus ${PROJECT_SOURCE_DIR}/tests/cases)
  endif()
  if(name STREQUAL tflite)
    list(APPEND corpus ${PROJECT_SOURCE_DIR}/tests/frontends/tflite/cases)
  endif()
  if(name MATCHES "^(keras|mxnet|pytorch|tensorflow)$")
    list(APPEND corpus ${PROJECT_SOURCE_DIR}/tests/frontends/${name})
  endif()
  set(timed "exec \"$0\" -max_total_time=\${LAPIS_FUZZ_SECONDS:-30} -seed=1 -timeout=10 -max_len=8192 \"$@\"")
  lapis_add_test(fuzz.${name} sh -c ${timed} $<TARGET_FILE:lapis_fuzz_${name}> ${found} ${corpus})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 86400)
endfunction()
