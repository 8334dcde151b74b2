# Target lapis_onnx: the onnx library (protos, schemas, checker, inliner, version converter, text syntax), built from
# the C++ source that its PyPI wheel carries. Built once a machine into a cache folder: it takes minutes, never changes.

set(LAPIS_ONNX_VERSION 1.23.2)
find_package(Protobuf REQUIRED)

set(cache_home $ENV{XDG_CACHE_HOME})
if(NOT cache_home)
  set(cache_home $ENV{HOME}/.cache)
endif()
set(LAPIS_CACHE_DIR ${cache_home}/lapis CACHE PATH "Where built third-party libraries are kept between builds")
string(TOLOWER ${CMAKE_CXX_COMPILER_ID} compiler)
string(REPLACE gnu gcc compiler ${compiler})
string(APPEND compiler ${CMAKE_CXX_COMPILER_VERSION})
set(onnx_dir ${LAPIS_CACHE_DIR}/onnx-${LAPIS_ONNX_VERSION}-${compiler}-protobuf${Protobuf_VERSION})
file(MAKE_DIRECTORY ${onnx_dir})
file(LOCK ${onnx_dir}/lock GUARD FILE TIMEOUT 1800)  # several build directories may be configured at once

# Into ${onnx_source}: the wheel of any platform will do, only its C++ source is used.
function(download_onnx)
  execute_process(
    COMMAND python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12
            --platform manylinux_2_28_x86_64 onnx==${LAPIS_ONNX_VERSION} -d ${onnx_dir}/wheel
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "Could not download the onnx ${LAPIS_ONNX_VERSION} wheel with `python3 -m pip` (see above). "
                        "Without network, unpack that wheel yourself and pass "
                        "-DLAPIS_ONNX_SOURCE_DIR=<folder that holds onnx/onnx-ml.proto>.")
  endif()
  file(GLOB wheel ${onnx_dir}/wheel/onnx-${LAPIS_ONNX_VERSION}-*.whl)
  file(ARCHIVE_EXTRACT INPUT ${wheel} DESTINATION ${onnx_dir}/source.tmp)
  file(RENAME ${onnx_dir}/source.tmp ${onnx_source})
endfunction()

if(LAPIS_ONNX_SOURCE_DIR)
  set(onnx_source ${LAPIS_ONNX_SOURCE_DIR})
  if(NOT EXISTS ${onnx_source}/onnx/onnx-ml.proto OR NOT EXISTS ${onnx_source}/onnx-${LAPIS_ONNX_VERSION}.dist-info)
    message(FATAL_ERROR "LAPIS_ONNX_SOURCE_DIR=${onnx_source} is not an unpacked wheel of onnx ${LAPIS_ONNX_VERSION}: "
                        "it must contain onnx/onnx-ml.proto and onnx-${LAPIS_ONNX_VERSION}.dist-info.")
  endif()
else()
  set(onnx_source ${onnx_dir}/source)
  if(NOT EXISTS ${onnx_source}/onnx/onnx-ml.proto)
    download_onnx()
  endif()
endif()

if(NOT EXISTS ${onnx_dir}/build/liblapis_onnx.a)
  message(NOTICE "Building onnx ${LAPIS_ONNX_VERSION} into ${onnx_dir} (once, some minutes)")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR}/cmake/onnx -B ${onnx_dir}/build.tmp -G Ninja
            -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
            -DONNX_SOURCE=${onnx_source} -DONNX_VERSION=${LAPIS_ONNX_VERSION}
    COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${onnx_dir}/build.tmp COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  file(RENAME ${onnx_dir}/build.tmp ${onnx_dir}/build)
endif()
file(LOCK ${onnx_dir}/lock RELEASE)

# Schemas register themselves in static initializers, so the whole archive is linked.
add_library(lapis_onnx INTERFACE)
target_include_directories(
  lapis_onnx SYSTEM INTERFACE ${onnx_dir}/build/generated ${onnx_source} ${Protobuf_INCLUDE_DIRS})
target_compile_definitions(lapis_onnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1 __STDC_FORMAT_MACROS)
target_link_libraries(
  lapis_onnx INTERFACE "$<LINK_LIBRARY:WHOLE_ARCHIVE,${onnx_dir}/build/liblapis_onnx.a>" ${Protobuf_LIBRARIES}
                       Threads::Threads)
