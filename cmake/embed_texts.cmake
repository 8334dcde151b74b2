# cmake -DTEXTS=a.s;b.s -DOUTPUT=routine_texts.cpp -P embed_texts.cmake: the texts as C++, each under the name of its file.
set(rows "")
foreach(text ${TEXTS})
  cmake_path(GET text STEM name)
  file(READ ${text} content)
  string(APPEND rows "    {\"${name}\", R\"text(${content})text\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"codegen/object/routine_assembly.h\"

namespace lapis {

std::span<const RoutineText> routine_texts() {
  static constexpr RoutineText kTexts[] = {
${rows}  };
  return kTexts;
}

}  // namespace lapis
")
