#include "tests/ir/one_node.h"

namespace lapis::testing {
namespace {

Attributes equation(std::string text) { return {{"equation", std::move(text)}}; }
Floats einsum(const std::string& text, const std::vector<Operand>& operands) {
  return values<float>(run1(ops::Einsum, operands, equation(text)));
}

TEST(Einsum, SumsProductsOverWhatTheResultDoesNotName) {
  const Tensor a = ramp({2, 3}), b = ramp({3, 2}), v = ramp({3});
  EXPECT_EQ(einsum("ij,jk->ik", {a, b}), (Floats{22, 28, 49, 64}));
  EXPECT_EQ(einsum("ij,jk->ki", {a, b}), (Floats{22, 49, 28, 64}));
  EXPECT_EQ(einsum("ij->j", {a}), (Floats{5, 7, 9}));
  EXPECT_EQ(einsum("i,j->ij", {v, v}), (Floats{1, 2, 3, 2, 4, 6, 3, 6, 9}));
  EXPECT_EQ(einsum("ij,jk,k->i", {a, b, ramp({2})}), (Floats{78, 177}));
  EXPECT_EQ(einsum("i,i->", {v, v}), (Floats{14}));
}

TEST(Einsum, TakesTheDiagonalOfALabelThatIsThereTwice) {
  const Tensor square = ramp({2, 2});
  EXPECT_EQ(einsum("ii->i", {square}), (Floats{1, 4}));
  EXPECT_EQ(einsum("ii", {square}), (Floats{5}));
  EXPECT_EQ(einsum("...ii->...i", {ramp({2, 2, 2})}), (Floats{1, 4, 5, 8}));
}

TEST(Einsum, SortsTheLettersThatOccurOnceWhereNothingIsSaid) {
  EXPECT_EQ(einsum("ba", {ramp({2, 3})}), (Floats{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(einsum("aB", {ramp({2, 3})}), (Floats{1, 4, 2, 5, 3, 6}));  // upper case comes first
  EXPECT_EQ(einsum(" i j , j k ", {ramp({1, 2}), ramp({2, 1})}), (Floats{5}));
}

TEST(Einsum, BroadcastsWhatDotsStandFor) {
  EXPECT_EQ(einsum("...i,...i->...", {ramp({2, 1, 2}), ramp({3, 2})}), (Floats{5, 11, 17, 11, 25, 39}));
  EXPECT_EQ(einsum("i...->...", {ramp({2, 3})}), (Floats{5, 7, 9}));
  EXPECT_EQ(einsum("...,...", {ramp({2, 1}), ramp({2})}), (Floats{1, 2, 2, 4}));
}

TEST(Einsum, WrapsIntegersAround) {
  const Tensor x = Tensor::vector<int8_t>({100, 100});
  EXPECT_EQ(values<int8_t>(run1(ops::Einsum, {x, x}, equation("i,i->"))), (std::vector<int8_t>{32}));  // 20000
  EXPECT_EQ(values<uint64_t>(run1(ops::Einsum, {Tensor::vector<uint64_t>({UINT64_MAX, 3})}, equation("i->"))),
            (std::vector<uint64_t>{2}));
}

TEST(Einsum, SumsNothingToZero) { EXPECT_EQ(einsum("ij->i", {ramp({2, 0})}), (Floats{0, 0})); }

TEST(Einsum, InfersSymbols) {
  const Type x = floats({N(), 8, 64});
  EXPECT_EQ(inferred(ops::Einsum, {x, floats({64, 4, 16})}, equation("bsd,dhk->bhsk")), "float[N,4,8,16]");
  EXPECT_EQ(inferred(ops::Einsum, {x, floats({N(), 1, 64})}, equation("...d,...d->...")), "float[N,8]");
  EXPECT_EQ(inferred(ops::Einsum, {x, Type::tensor(DType::Float32)}, equation("bsd,...d->...")), "float[...]");
}

TEST(Einsum, SaysWhatIsWrong) {
  const auto message = [](const char* text, const std::vector<Operand>& operands) {
    return inferred(ops::Einsum, operands, equation(text));
  };
  const Type x = floats({2, 3});
  EXPECT_EQ(message("ij,jk->ik", {x}), "the equation 'ij,jk->ik' has 2 terms for 1 operands");
  EXPECT_EQ(message("i->i", {x}), "the equation 'i->i' names the axes 'i' of operand 0, which is float[2,3]");
  EXPECT_EQ(message("i1->i", {x}), "the equation 'i1->i' has '1' where a letter or three dots can stand");
  EXPECT_EQ(message("ij->k", {x}), "the equation 'ij->k' wants 'k', which no operand has");
  EXPECT_EQ(message("ij->ii", {x}), "the equation 'ij->ii' wants 'i' twice");
  EXPECT_EQ(message("...j->j", {x}), "the equation '...j->j' has dots in front of its arrow and none behind it");
  EXPECT_EQ(message("ii->i", {x}), "the equation 'ii->i' gives one name to axes of 2 and 3 elements");
  EXPECT_EQ(message("ij,ij->", {x, floats({2, 4})}),
            "the equation 'ij,ij->' gives one name to axes of 3 and 4 elements");
}

}  // namespace
}  // namespace lapis::testing
