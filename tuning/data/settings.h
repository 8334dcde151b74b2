// What the rows of three tables take - formats (formats.h), transforms (transforms.h), metrics (../metrics/metric.h) -
// and what a dataset file gave them. A row lists its options once: reading, bounds, messages and the tables of
// docs/datasets.md follow from the list.
//
//   const std::vector<Option> kOptions = {{.name = "size", .kind = OptionKind::Wholes,
//                                          .doc = "height and width", .required = true, .low = 1}};
//   settings.wholes("size")   // of `resize: {size: [256, 256]}` and of `resize: [256, 256]`:
//                             // what is no map is the first option
#pragma once

#include <limits>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"

namespace lapis {

enum class OptionKind { Text, Texts, File, Files, Whole, Wholes, Number, Numbers, Flag, Type };

struct Option {
  std::string name = {};
  OptionKind kind = OptionKind::Text;
  std::string doc = {};
  bool required = false;
  double low = std::numeric_limits<double>::lowest(), high = std::numeric_limits<double>::max();  // of numbers
  bool nonzero = false;
  std::vector<std::string> choices = {};  // of texts; none: any
};

// Values as the options declare them; a getter of another kind than the option's is a bug.
class Settings {
 public:
  // Copying, moving and destroying it is compiled once.
  struct Value : std::variant<std::vector<std::string>, std::vector<int64_t>, std::vector<double>, bool> {
    using variant::variant;
    Value();
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(const Value& other);
    Value& operator=(Value&& other) noexcept;
    ~Value();
  };

  Settings() = default;
  Settings(std::string place, Path folder) : where(std::move(place)), folder_(std::move(folder)) {}

  std::string where;  // "data.yaml:4", for messages

  void set(const std::string& option, Value value) { values_[option] = std::move(value); }
  bool has(const std::string& option) const { return values_.contains(option); }

  std::string text(const std::string& option, const std::string& fallback = "") const;
  std::vector<std::string> texts(const std::string& option) const;
  Path file(const std::string& option) const;  // relative to the folder of the dataset file
  std::vector<Path> files(const std::string& option) const;
  int64_t whole(const std::string& option, int64_t fallback = 0) const;
  std::vector<int64_t> wholes(const std::string& option) const;
  double number(const std::string& option, double fallback = 0) const;
  std::vector<double> numbers(const std::string& option) const;
  bool flag(const std::string& option, bool fallback = false) const;
  DType type(const std::string& option, DType fallback = DType::Float32) const;

  // An error at `where` that names the page of the documentation.
  Diagnostic problem(const std::string& what) const;

 private:
  template <class T> const std::vector<T>* list(const std::string& option) const {
    const auto at = values_.find(option);
    return at == values_.end() ? nullptr : &std::get<std::vector<T>>(at->second);
  }
  Path folder_;
  std::map<std::string, Value> values_;
};

}  // namespace lapis
