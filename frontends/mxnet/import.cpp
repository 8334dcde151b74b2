#include "frontends/mxnet/import.h"

#include <algorithm>
#include <cstring>

#include "frontends/common/importing.h"
#include "frontends/mxnet/read.h"

namespace lapis {
namespace {

constexpr std::string_view kSymbolEnding = "-symbol.json", kParamsEnding = ".params";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_params(std::span<const std::byte> bytes) { return text_of(bytes).starts_with(mxnet_frontend::kParamsMagic); }

// JSON that begins with nodes, which have operators.
// "arg_nodes" and "heads" come behind all nodes, at the end of the file.
bool is_symbol(std::span<const std::byte> bytes) {
  constexpr size_t kEdge = 4096;
  const std::string_view text = text_of(bytes);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '{') return false;
  const auto head = text.substr(begin, kEdge), tail = text.substr(text.size() - std::min(text.size(), kEdge));
  return head.find("\"nodes\"") != std::string_view::npos && head.find("\"op\"") != std::string_view::npos &&
         (tail.find("\"heads\"") != std::string_view::npos || text.find("\"arg_nodes\"") != std::string_view::npos);
}

// "det1" of "det1-symbol.json" and of "det1-0001.params"; the stem of other names.
std::string prefix_of(const Path& path) {
  constexpr size_t kEpoch = 5;  // "-0001"
  const std::string name = path.filename().string();
  if (name.ends_with(kSymbolEnding)) return name.substr(0, name.size() - kSymbolEnding.size());
  std::string stem = path.stem().string();
  const size_t at = stem.size() - std::min(stem.size(), kEpoch);
  const bool has_epoch = stem.size() > kEpoch && stem[at] == '-' &&
                         std::all_of(stem.begin() + static_cast<ptrdiff_t>(at) + 1, stem.end(),
                                     [](unsigned char c) { return std::isdigit(c); });
  return has_epoch ? stem.substr(0, at) : stem;
}

Result<Path> symbol_beside(const Path& params) {
  const Path symbol = params.parent_path() / (prefix_of(params) + std::string(kSymbolEnding));
  std::error_code failed;
  if (std::filesystem::is_regular_file(symbol, failed)) return symbol;
  return error(ErrorKind::Input, "these are MXNet parameters, and their symbol file is not beside them")
      .at(params.filename().string())
      .help("put " + symbol.filename().string() + " into the same folder");
}

Result<Path> params_beside(const Path& symbol) {
  const std::string prefix = prefix_of(symbol);
  std::vector<Path> found;
  std::error_code failed;
  const Path folder = symbol.has_parent_path() ? symbol.parent_path() : Path(".");
  for (auto it = std::filesystem::directory_iterator(folder, failed); !failed && it != std::filesystem::end(it);
       it.increment(failed))
    if (it->path().extension() == kParamsEnding && prefix_of(it->path()) == prefix) found.push_back(it->path());
  std::sort(found.begin(), found.end());
  if (found.size() == 1) return found[0];
  const std::string name = symbol.filename().string();
  if (found.empty())
    return error(ErrorKind::Input, "this is an MXNet symbol file, and its parameters are not beside it")
        .at(name)
        .help("put " + prefix + "-0000.params, or under another number, into the same folder");
  Diagnostic several = error(ErrorKind::Input, "there are several files of parameters for it").at(name);
  for (const Path& path : found) several.note(path.filename().string());
  return several.help("give the .params file that you mean instead of the symbol file");
}

}  // namespace

bool is_mxnet(const Path&, std::span<const std::byte> bytes) { return is_params(bytes) || is_symbol(bytes); }

Result<std::unique_ptr<Graph>> import_mxnet(const Path& path, const MappedFile& file, const ImportOptions& options) {
  MappedFile symbol = file, params = file;
  if (is_params(file.bytes())) {
    LAPIS_TRY(const Path beside, symbol_beside(path));
    LAPIS_TRY(symbol, map_file(beside));
  } else {
    LAPIS_TRY(const Path beside, params_beside(path));
    LAPIS_TRY(params, map_file(beside));
  }
  return import_mxnet(symbol.bytes(), params, path.filename().string(), options);
}

Result<std::unique_ptr<Graph>> import_mxnet(std::span<const std::byte> symbol, const MappedFile& params,
                                            const std::string& name, const ImportOptions& options) {
  return frontend::importing(name, [&]() -> Result<std::unique_ptr<Graph>> {
    LAPIS_TRY(const mxnet_frontend::Parameters parameters, mxnet_frontend::read_params(params));
    LAPIS_TRY(const frontend::SourceGraph source,
              mxnet_frontend::read_symbol(symbol, parameters, symbol.size() + params.size));
    return translate(source, mxnet_frontend::dialect(), options);
  });
}

namespace mxnet_frontend {

const frontend::Dialect& dialect() {
  static const frontend::Dialect kDialect{
      .translators = translators(),
      .hint =
          "mxnet.onnx.export_model(SYMBOL_JSON, PARAMS, input_shapes, onnx_file_path='model.onnx') may convert the "
          "model to ONNX",
      .refused = refused(),
      .resolved = resolved()};
  return kDialect;
}

}  // namespace mxnet_frontend

}  // namespace lapis
