// Dim: one dimension of a shape: an integer, or an integer polynomial over named symbols ("N", "2*S+1"), or unknown.
// Two symbolic Dims are equal exactly if their canonical forms are; an unknown Dim equals nothing, not even itself.
// Arithmetic that leaves 64 bits gives a Dim that is unknown and too large: inference refuses types that have one.
// Formulas that grow beyond any sensible size become unknown, so that no model can make them explode.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lapis {

class Dim {
 public:
  Dim() = default;  // unknown
  Dim(int64_t value) : known_(true), constant_(value) {}
  static Dim symbol(std::string name);
  static Dim unknown() { return {}; }
  static Dim too_large();
  // Reads what to_string wrote: "?", "4", "N", "2*N*S+1", "floor(N/2)".
  static Dim parse(const std::string& text);

  bool is_known() const { return known_; }
  bool is_too_large() const { return too_large_; }
  bool is_constant() const { return known_ && !terms_; }
  int64_t value() const;  // asserts is_constant()
  std::optional<int64_t> constant() const;
  bool is(int64_t v) const { return is_constant() && constant_ == v; }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim floor_div(const Dim& a, const Dim& b);  // exact where every coefficient divides, else an opaque atom
  friend Dim ceil_div(const Dim& a, const Dim& b);
  friend std::optional<Dim> exact_div(const Dim& a, const Dim& b);  // q with q * b == a as polynomials, if there is one
  friend bool operator==(const Dim& a, const Dim& b);
  // No coefficient is negative, so no choice of sizes makes it negative. False does not mean that some choice does.
  bool never_negative() const;
  // Its number, or the factors of its symbols, are at most that far from 0. Atoms' insides are not looked at.
  bool is_within(int64_t limit) const;

  // Replaces symbols by their values; symbols without a binding stay. floor(...) atoms are re-evaluated.
  Dim bind(const std::map<std::string, int64_t>& values) const;
  std::vector<std::string> symbols() const;
  std::string to_string() const;

 private:
  using Monomial = std::vector<std::string>;  // sorted atoms, repeated for powers; an atom is a symbol or "floor(p/q)"
  using Terms = std::map<Monomial, int64_t>;  // no zero coefficients
  class Sum;
  static Dim combine(const Dim& a, const Dim& b, int64_t sign);
  static Dim unknown_like(const Dim& a, const Dim& b);
  const Terms& terms() const;

  bool known_ = false;
  bool too_large_ = false;  // only if not known
  int64_t constant_ = 0;
  std::shared_ptr<const Terms>
      terms_;  // null: none. Most dimensions of a graph are numbers: a copy of one costs nothing
};

std::optional<Dim> exact_div(const Dim& a, const Dim& b);

}  // namespace lapis
