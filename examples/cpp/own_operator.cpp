// Compiles a TensorFlow model with an operator that Lapis does not know, which this program translates:
// own_operator MODEL
#include <lapis/lapis.h>

#include <cmath>
#include <cstdio>
#include <string>

// ScaledTanh(x) = scale * tanh(x)
static void scaled_tanh(lapis::Translation& t) {
  if (t.text("mode", "exact") != "exact") return t.refuse("the mode " + t.text("mode"));
  const lapis::Operand tanh = t.add("Tanh", {t.input(0)});
  t.set(0, t.add("Mul", {tanh, t.constant(t.number("scale", 1))}));
}

static int fail(const lapis::Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "own_operator.pbtxt";
  const lapis::Translator row = {"tensorflow", "ScaledTanh", 1, 1, scaled_tanh};

  // A name is translated in one way: two rows for it are an error, not a matter of order.
  if (lapis::compile(model, {.translators = {row, row}}).ok()) return std::puts("a name was taken twice"), 1;

  const auto executable = lapis::compile(model, {.translators = {row}});
  if (!executable) return fail(executable.error());
  auto session = executable->session();
  if (!session) return fail(session.error());
  const float x[] = {-2, -1, 0.5F, 3};
  const auto outputs = session->run({{"x", lapis::TensorView(x, {4})}});
  if (!outputs) return fail(outputs.error());
  const auto y = outputs->at("y").view<float>();
  for (size_t i = 0; i < y.size(); ++i) {
    std::printf("%g -> %g\n", x[i], y[i]);
    if (std::abs(y[i] - 3 * std::tanh(x[i])) > 1e-5) return std::puts("that is wrong"), 1;
  }
  return 0;
}
