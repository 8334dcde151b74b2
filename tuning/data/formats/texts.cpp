// Text files: a line a sample; numbers in columns (CSV) or under keys (JSON lines).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ir/ops/loops.h"
#include "tuning/data/formats.h"
#include "tuning/data/lines.h"

namespace lapis {

Result<std::vector<std::string>> read_lines(const Path& file) {
  LAPIS_TRY(const std::string text, read_file(file));
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

namespace {

Result<Column> open_lines(const Settings& settings, Role) {
  LAPIS_TRY(std::vector<std::string> lines, read_lines(settings.file("file")));
  const auto count = static_cast<int64_t>(lines.size());
  return column_of(Tensor::strings({count}, std::move(lines)));
}

Diagnostic bad(const Path& file, size_t line, const std::string& what) {
  return error(ErrorKind::Input, what)
      .at(file.string() + ":" + std::to_string(line + 1))
      .help("docs/datasets.md describes the format");
}

// ---- CSV: fields between separators, quoted where they hold one -----------------------------------------------------

std::vector<std::string> fields_of(const std::string& line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"')
      fields.back() += line[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == separator && !quoted)
      fields.emplace_back();
    else
      fields.back() += c;
  }
  return fields;
}

struct Csv {
  Path file;
  std::vector<std::vector<std::string>> rows;
  size_t first_line = 0;  // of the rows in the file
  std::vector<size_t> columns = {};
};

Result<size_t> column_index(const Settings& settings, const std::string& name, const std::vector<std::string>& head) {
  for (size_t i = 0; i < head.size(); ++i)
    if (head[i] == name && settings.flag("header", true)) return i;
  size_t index = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (failed == std::errc() && end == name.data() + name.size() && index < head.size()) return index;
  return settings.problem("the file has no column '" + name + "' among its " + std::to_string(head.size()));
}

Result<Csv> read_csv(const Settings& settings) {
  Csv csv{settings.file("file"), {}};
  LAPIS_TRY(const std::vector<std::string> lines, read_lines(csv.file));
  const char separator = settings.text("separator", "comma") == "tab" ? '\t'
                         : settings.text("separator") == "semicolon"  ? ';'
                                                                      : ',';
  csv.first_line = settings.flag("header", true) ? 1 : 0;
  for (size_t i = 0; i < lines.size(); ++i)
    if (i < csv.first_line || !lines[i].empty()) csv.rows.push_back(fields_of(lines[i], separator));
  if (csv.rows.size() <= csv.first_line) return bad(csv.file, 0, "the file has no rows");
  const std::vector<std::string> head = csv.rows[0];
  csv.rows.erase(csv.rows.begin(), csv.rows.begin() + static_cast<int64_t>(csv.first_line));
  for (const std::string& name : settings.texts("columns")) {
    LAPIS_TRY(const size_t column, column_index(settings, name, head));
    csv.columns.push_back(column);
  }
  return csv;
}

// Numbers of one field, which spaces may separate: token ids.
bool append_numbers(const std::string& field, std::vector<double>& to) {
  std::istringstream words(field);
  for (std::string word; words >> word;) {
    double value = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (failed != std::errc() || end != word.data() + word.size()) return false;
    to.push_back(value);
  }
  return true;
}

Result<Tensor> csv_sample(const Csv& csv, const Settings& settings, size_t row) {
  const std::vector<std::string>& fields = csv.rows[row];
  std::vector<double> values;
  for (const size_t column : csv.columns) {
    if (column >= fields.size())
      return bad(csv.file, csv.first_line + row, "the row has only " + std::to_string(fields.size()) + " fields");
    if (settings.flag("text")) return Tensor::strings({}, {fields[column]});
    if (!append_numbers(fields[column], values))
      return bad(csv.file, csv.first_line + row, "'" + fields[column] + "' is no number");
  }
  const Shape shape =
      values.size() == 1 && csv.columns.size() == 1 ? Shape{} : Shape{static_cast<int64_t>(values.size())};
  return ops::from_doubles(settings.type("dtype"), shape, values);
}

Result<Column> open_csv(const Settings& settings, Role) {
  LAPIS_TRY(Csv csv, read_csv(settings));
  const auto size = static_cast<int64_t>(csv.rows.size());
  return Column{
      size,
      [csv = std::move(csv), settings](int64_t i) { return csv_sample(csv, settings, static_cast<size_t>(i)); },
      {}};
}

// ---- JSON lines -----------------------------------------------------------------------------------------------------

using Json = nlohmann::json;

// The shape of nested lists, if it is one, and their numbers.
bool flatten(const Json& json, size_t depth, Shape& shape, std::vector<double>& values) {
  if (!json.is_array()) {
    if (depth != shape.size() || !(json.is_number() || json.is_boolean())) return false;
    values.push_back(json.is_boolean() ? json.get<bool>() : json.get<double>());
    return true;
  }
  const auto extent = static_cast<int64_t>(json.size());
  if (depth == shape.size() && values.empty() && depth < kMaxRank) shape.push_back(extent);
  if (depth >= shape.size() || shape[depth] != extent) return false;
  return std::all_of(json.begin(), json.end(),
                     [&](const Json& each) { return flatten(each, depth + 1, shape, values); });
}

Result<Tensor> jsonl_sample(const Settings& settings, const std::string& line, size_t number) {
  const std::string key = settings.text("key");
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains(key))
    return bad(settings.file("file"), number, "the line is no JSON object with a key '" + key + "'");
  if (json[key].is_string()) return Tensor::strings({}, {json[key].get<std::string>()});
  Shape shape;
  std::vector<double> values;
  if (!flatten(json[key], 0, shape, values))
    return bad(settings.file("file"), number,
               "'" + key + "' is neither text, nor a number, nor lists of them of one length");
  return ops::from_doubles(settings.type("dtype"), shape, values);
}

Result<Column> open_jsonl(const Settings& settings, Role) {
  LAPIS_TRY(std::vector<std::string> lines, read_lines(settings.file("file")));
  const auto size = static_cast<int64_t>(lines.size());
  return Column{size,
                [settings, lines = std::move(lines)](int64_t i) {
                  return jsonl_sample(settings, lines[static_cast<size_t>(i)], static_cast<size_t>(i));
                },
                {}};
}

}  // namespace

std::vector<Format> text_formats() {
  const Option file{.name = "file", .kind = OptionKind::File, .doc = "UTF-8", .required = true},
      dtype{.name = "dtype", .kind = OptionKind::Type, .doc = "of numbers; default: float32"};
  return {
      {.name = "lines", .doc = "the lines of a text file, as strings", .options = {file}, .open = open_lines},
      {.name = "csv",
       .doc = "columns of numbers: a sample a row; a field may hold several with spaces between them (token ids)",
       .options =
           {file,
            {.name = "columns",
             .kind = OptionKind::Texts,
             .doc = "names, or numbers from 0; several are put together",
             .required = true},
            {.name = "header", .kind = OptionKind::Flag, .doc = "whether the first line has names; default: true"},
            {.name = "separator", .doc = "comma (default), semicolon, tab", .choices = {"comma", "semicolon", "tab"}},
            {.name = "text", .kind = OptionKind::Flag, .doc = "the field as text, for labels"},
            dtype},
       .open = open_csv},
      {.name = "jsonl",
       .doc = "a JSON object a line: a number, text, or nested lists of numbers under a key",
       .options = {file, {.name = "key", .doc = "of the objects", .required = true}, dtype},
       .open = open_jsonl},
  };
}

}  // namespace lapis
