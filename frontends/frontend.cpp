#include "frontends/frontend.h"

#include <algorithm>
#include <set>

#include "base/suggest.h"
#include "frontends/common/cut.h"
#include "frontends/common/foreign.h"
#include "frontends/common/importing.h"
#include "frontends/keras/import.h"
#include "frontends/mxnet/import.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/support.h"
#include "frontends/pytorch/import.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tflite/import.h"

namespace lapis {
namespace {

template <const frontend::Dialect& (&dialect)()> std::vector<frontend::SupportedOperator> rows_of() {
  return frontend::operators_of(dialect());
}

constexpr Frontend kFrontends[] = {
    {"onnx", "ONNX", is_onnx, import_onnx, onnx_frontend::operators},
    {"tflite", "TFLite", is_tflite, import_tflite, rows_of<tflite_frontend::dialect>, false, true},
    {"tensorflow", "TensorFlow", is_tensorflow, import_tensorflow, rows_of<tensorflow_frontend::dialect>, true},
    {"keras", "Keras", is_keras, import_keras, rows_of<keras_frontend::dialect>},
    {"mxnet", "MXNet", is_mxnet, import_mxnet, rows_of<mxnet_frontend::dialect>},
    {"pytorch", "PyTorch", is_pytorch, import_pytorch, rows_of<pytorch_frontend::dialect>, false, false, true},
};

constexpr const char* kAnyModel = "a model that Lapis reads";

const Frontend* recognize(const Path& path, std::span<const std::byte> bytes) {
  for (const Frontend& f : kFrontends)
    if (f.recognizes(path, bytes)) return &f;
  return nullptr;
}

std::vector<std::string> names_of_frontends() {
  std::vector<std::string> names;
  for (const Frontend& f : kFrontends) names.emplace_back(f.name);
  return names;
}

Diagnostic bad_translator(const frontend::OwnTranslator& own, const std::string& why) {
  return error(ErrorKind::Usage, "the translator of " + own.framework + "'s operator '" + own.op + "' " + why);
}

Status check_translator(const frontend::OwnTranslator& own) {
  const auto* f = std::ranges::find(kFrontends, std::string_view(own.framework), &Frontend::name);
  if (f == std::end(kFrontends))
    return bad_translator(own, "is for no framework that Lapis reads")
        .help(suggestion(own.framework, names_of_frontends()));
  if (f->name == "onnx")
    return bad_translator(own, "cannot be: ONNX's operators are what others are translated to")
        .help("define the operator as a function in the model, which Lapis expands");
  if (own.op.empty() || !own.translate) return bad_translator(own, "lacks its name or its function");
  for (const frontend::SupportedOperator& op : f->operators())
    if (op.op == own.op && op.how != frontend::Support::Refused)
      return bad_translator(own, "stands beside the one that Lapis has")
          .help("leave it out, or give the operator another name");
  return ok();
}

std::vector<frontend::OwnTranslator> translators_for(const Frontend& f, const ImportOptions& options) {
  std::vector<frontend::OwnTranslator> own = options.translators;
  std::erase_if(own, [&](const frontend::OwnTranslator& t) { return t.framework != f.name; });
  return own;
}

bool is_folder(const Path& path) {
  std::error_code failed;
  return std::filesystem::is_directory(path, failed);
}

Result<std::unique_ptr<Graph>> import_part(const Frontend& f, const Path& path, const MappedFile& file,
                                           const ImportOptions& options) {
  ImportOptions part = options;
  part.translators = translators_for(f, options);
  LAPIS_TRY(std::unique_ptr<Graph> graph, f.import(path, file, part));
  if (f.imports_parts) return graph;
  if (f.has_signatures) part.signature.clear();
  if (Status done = frontend::cut(*graph, part); !done.ok())
    return frontend::in_file(std::move(done).diagnostics(), path.filename().string());
  return graph;
}

}  // namespace

std::span<const Frontend> frontends() { return kFrontends; }

Status check_translators(std::span<const frontend::OwnTranslator> translators) {
  Diagnostics found;
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const frontend::OwnTranslator& own : translators) {
    if (const Status checked = check_translator(own); !checked.ok())
      found.insert(found.end(), checked.diagnostics().begin(), checked.diagnostics().end());
    if (!seen.emplace(own.framework, own.op).second) found.push_back(bad_translator(own, "is given twice"));
  }
  return status_of(std::move(found));
}

const Frontend* frontend_of(const Path& path) {
  if (is_folder(path)) return recognize(path, {});
  const Result<MappedFile> file = map_file(path);
  return file.ok() ? recognize(path, file->bytes()) : nullptr;
}

Result<std::unique_ptr<Graph>> import_model(const Path& path, const ImportOptions& options) {
  LAPIS_CHECK(check_translators(options.translators));
  MappedFile file;
  if (!is_folder(path)) {
    LAPIS_TRY(file, map_file(path));
  }
  if (const Frontend* f = recognize(path, file.bytes())) return import_part(*f, path, file, options);
  if (const auto foreign = frontend::foreign_folder(path))
    return frontend::not_read(*foreign, kAnyModel).at(path.string());
  if (const auto foreign = frontend::foreign_format(file.bytes()))
    return frontend::not_read(*foreign, kAnyModel).at(path.filename().string());
  return import_part(kFrontends[0], path, file,
                     options);  // ONNX has no magic number, so its reader says what a damaged file lacks
}

}  // namespace lapis
