#include "tuning/data/settings.h"

namespace lapis {

Settings::Value::Value() = default;
Settings::Value::Value(const Value& other) = default;
Settings::Value::Value(Value&& other) noexcept = default;
Settings::Value& Settings::Value::operator=(const Value& other) = default;
Settings::Value& Settings::Value::operator=(Value&& other) noexcept = default;
Settings::Value::~Value() = default;

std::string Settings::text(const std::string& option, const std::string& fallback) const {
  const auto* values = list<std::string>(option);
  return values ? values->at(0) : fallback;
}

std::vector<std::string> Settings::texts(const std::string& option) const {
  const auto* values = list<std::string>(option);
  return values ? *values : std::vector<std::string>{};
}

Path Settings::file(const std::string& option) const { return folder_ / text(option); }

std::vector<Path> Settings::files(const std::string& option) const {
  std::vector<Path> paths;
  for (const std::string& name : texts(option)) paths.push_back(folder_ / name);
  return paths;
}

int64_t Settings::whole(const std::string& option, int64_t fallback) const {
  const auto* values = list<int64_t>(option);
  return values ? values->at(0) : fallback;
}

std::vector<int64_t> Settings::wholes(const std::string& option) const {
  const auto* values = list<int64_t>(option);
  return values ? *values : std::vector<int64_t>{};
}

double Settings::number(const std::string& option, double fallback) const {
  const auto* values = list<double>(option);
  return values ? values->at(0) : fallback;
}

std::vector<double> Settings::numbers(const std::string& option) const {
  const auto* values = list<double>(option);
  return values ? *values : std::vector<double>{};
}

bool Settings::flag(const std::string& option, bool fallback) const {
  const auto at = values_.find(option);
  return at == values_.end() ? fallback : std::get<bool>(at->second);
}

DType Settings::type(const std::string& option, DType fallback) const {
  return has(option) ? *parse_dtype(text(option)) : fallback;
}

Diagnostic Settings::problem(const std::string& what) const {
  return error(ErrorKind::Input, what).at(where).help("docs/datasets.md describes the file");
}

}  // namespace lapis
