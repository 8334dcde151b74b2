// The arguments of a verb, in the words of CLI11, which stands behind them in arguments.cpp alone: it is all templates
// and inline functions, and each file that sees it takes seconds to compile them anew.
//
//   app.add_option("--rounds", flags->rounds, "Rounds").capture_default_str().check(integer_between(1, 10000));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lapis::cli {

struct Check {
  std::string expected;                                  // as --help says it
  std::function<std::string(const std::string&)> fault;  // of a text that was given; empty: none
};
Check one_of(std::vector<std::string> words);
Check integer_between(int64_t low, int64_t high);
Check at_least(int64_t low);  // and what 64 bits hold
Check number_between(double low, double high);

class Argument {
 public:
  explicit Argument(CLI::Option* option) : option_(option) {}
  Argument& required();
  Argument& optional();
  Argument& type_name(const std::string& name);
  Argument& capture_default_str();  // --help shows what the variable holds now
  Argument& delimiter(char separator);
  Argument& check(const Check& check);
  Argument& excludes(const Argument& other);

 private:
  CLI::Option* option_;
};

class Arguments {
 public:
  explicit Arguments(CLI::App& verb) : verb_(verb) {}
  // Into strings, numbers, optional ones of these, and lists of strings and numbers; arguments.cpp lists the types.
  template <class T> Argument add_option(const std::string& names, T& into, const std::string& help);
  Argument add_flag(const std::string& names, bool& into, const std::string& help);
  void footer(const std::string& text);

 private:
  CLI::App& verb_;
};

}  // namespace lapis::cli
