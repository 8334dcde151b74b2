# Target lapis_onednn: the headers of oneDNN, and where its library lies. Nothing is linked with it: the row of the kernel table that needs the
# library loads it when somebody asks for that row. It comes from the Python packages that requirements.txt pins (`./dev setup` puts them
# into build/venv) or from where dnnl_DIR says; without it there is no such target, and the row says that it is missing.
find_package(dnnl 3.2 CONFIG QUIET HINTS ${PROJECT_SOURCE_DIR}/build/venv)
if(dnnl_FOUND)
  add_library(lapis_onednn INTERFACE)
  target_include_directories(
    lapis_onednn SYSTEM INTERFACE $<TARGET_PROPERTY:DNNL::dnnl,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(lapis_onednn INTERFACE LAPIS_ONEDNN_FILE="$<TARGET_FILE:DNNL::dnnl>")
endif()
message(STATUS "oneDNN for float kernels: ${dnnl_DIR}")
