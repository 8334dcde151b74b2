# Target lapis_onnx: the onnx library (protos, schemas, checker, inliner, version converter, text syntax), built from the C++ source that
# its PyPI wheel carries. Built once a machine into a cache folder, because it takes minutes and never changes.

set(LAPIS_ONNX_VERSION 1.23.2)
find_package(Protobuf REQUIRED)

set(cache_home $ENV{XDG_CACHE_HOME})
if(NOT cache_home)
  set(cache_home $ENV{HOME}/.cache)
endif()
set(LAPIS_CACHE_DIR ${cache_home}/lapis CACHE PATH "Where built third-party libraries are kept between builds")
set(onnx_dir ${LAPIS_CACHE_DIR}/onnx-${LAPIS_ONNX_VERSION}-gcc${CMAKE_CXX_COMPILER_VERSION}-protobuf${Protobuf_VERSION})
file(MAKE_DIRECTORY ${onnx_dir})
file(LOCK ${onnx_dir}/lock GUARD FILE TIMEOUT 1800)

if(LAPIS_ONNX_SOURCE_DIR)
  set(onnx_source ${LAPIS_ONNX_SOURCE_DIR})
else()
  set(onnx_source ${onnx_dir}/source)
  if(NOT EXISTS ${onnx_source}/onnx/onnx-ml.proto)
    execute_process(
      COMMAND python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12
              --platform manylinux_2_28_x86_64 onnx==${LAPIS_ONNX_VERSION} -d ${onnx_dir}/wheel
      COMMAND_ERROR_IS_FATAL ANY)
    file(GLOB wheel ${onnx_dir}/wheel/onnx-*.whl)
    file(ARCHIVE_EXTRACT INPUT ${wheel} DESTINATION ${onnx_source})
  endif()
endif()

if(NOT EXISTS ${onnx_dir}/build/liblapis_onnx.a)
  message(STATUS "Building onnx ${LAPIS_ONNX_VERSION} into ${onnx_dir} (once)")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR}/cmake/onnx -B ${onnx_dir}/build.tmp -G Ninja -DCMAKE_BUILD_TYPE=Release
            -DONNX_SOURCE=${onnx_source} -DONNX_VERSION=${LAPIS_ONNX_VERSION} COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${onnx_dir}/build.tmp COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET)
  file(RENAME ${onnx_dir}/build.tmp ${onnx_dir}/build)
endif()
file(LOCK ${onnx_dir}/lock RELEASE)

# Schemas register themselves in static initializers, so the whole archive is linked.
add_library(lapis_onnx INTERFACE)
target_include_directories(lapis_onnx SYSTEM INTERFACE ${onnx_dir}/build/generated ${onnx_source} ${Protobuf_INCLUDE_DIRS})
target_compile_definitions(lapis_onnx INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1 __STDC_FORMAT_MACROS)
target_link_libraries(lapis_onnx INTERFACE -Wl,--whole-archive ${onnx_dir}/build/liblapis_onnx.a -Wl,--no-whole-archive ${Protobuf_LIBRARIES} Threads::Threads)
