// Small graphs at the edges of what operators take: operands that broadcast in other ways than layers do, dimensions
// without elements, scalars, empty attribute lists, values that are an output and something else at once. Inputs named
// w and b become constants.
#pragma once

namespace lapis::testing {

struct TextCase {
  const char* name;
  const char* body;
  bool exact;  // integers, or operators that IEEE 754 defines to the bit
};

constexpr TextCase kEdgeCases[] = {
    // ---- what is added to a product, judged by its shape ----
    {"gemm_one_a_row", "(float[4,6] a, float[6,4] w, float[4,1] b) => (float[4,4] y) { y = Gemm(a, w, b) }", false},
    {"gemm_one_a_column", "(float[4,6] a, float[6,4] w, float[1,4] b) => (float[4,4] y) { y = Gemm(a, w, b) }", false},
    {"gemm_matrix", "(float[4,6] a, float[6,4] w, float[4,4] b) => (float[4,4] y) { g = Gemm(a, w, b) y = Relu(g) }",
     false},
    {"gemm_number", "(float[4,6] a, float[6,5] w, float b) => (float[4,5] y) { y = Gemm(a, w, b) }", false},
    {"gemm_one_column", "(float[4,6] a, float[6,1] w, float[4,1] b) => (float[4,1] y) { y = Gemm(a, w, b) }", false},
    {"gemm_computed_c",
     "(float[4,6] a, float[6,4] w, float[4,1] c, float[4] d, float[4,4] e) => (float[4,4] x, float[4,4] y, float[4,4] "
     "z) { x = "
     "Gemm(a, w, c) y = Gemm(a, w, d) z = Gemm(a, w, e) }",
     false},
    {"gemm_factors",
     "(float[4,6] a, float[6,4] w, float[4] b) => (float[4,4] x, float[4,4] y, float[4,4] z) { x = Gemm<alpha = "
     "0.5>(a, w, b) y = "
     "Gemm<beta = -2.0>(a, w, b) z = Gemm<alpha = 3.0, beta = 0.25>(a, w, b) }",
     false},
    {"gemm_turned",
     "(float[6,4] a, float[5,6] w, float[5] b) => (float[4,5] y) { y = Gemm<transA = 1, transB = 1>(a, w, b) }", false},
    {"gemm_of_two_computed",
     "(float[6,4] a, float[5,6] c, float[4,1] b) => (float[4,5] y, float[4,5] z) { y = Gemm<transA = 1, transB = 1, "
     "alpha = "
     "0.5, beta = 2.0>(a, c, b) m = Transpose(a) n = Transpose(c) z = Gemm(m, n) }",
     false},
    {"gemm_doubles", "(double[4,6] a, double[6,5] b) => (double[4,5] y) { y = Gemm<alpha = 0.5>(a, b) }", false},
    {"matmul_add_one_a_row",
     "(float[4,6] a, float[6,4] w, float[4,1] b) => (float[4,4] y) { m = MatMul(a, w) y = Add(m, b) }", false},
    {"matmul_mul_matrix",
     "(float[4,6] a, float[6,4] w, float[4,4] b) => (float[4,4] y) { m = MatMul(a, w) y = Mul(m, b) }", false},
    {"matmul_of_two_computed_then_add",
     "(float[4,8] a, float[8,3] c, float[3] b) => (float[4,3] y) { m = MatMul(a, c) y = Add(m, b) }", false},
    {"conv_add_along_every_axis",
     "(float[1,4,4,4] a, float[4,4,1,1] w, float[4] b) => (float[1,4,4,4] x, float[1,4,4,4] y, float[1,4,4,4] z) "
     "<int64[2] column = "
     "{4, 1}, int64[3] channel = {4, 1, 1}> { c = Conv(a, w) x = Add(c, b) r = Reshape(b, column) d = Conv(a, w) e = "
     "Relu(d) y = "
     "Mul(e, r) s = Reshape(b, channel) f = Conv(a, w) g = Relu(f) z = Mul(g, s) }",
     false},
    {"conv_computed_bias",
     "(float[1,3,5,5] a, float[4,3,3,3] w, float[4] c) => (float[1,4,3,3] y) { d = Conv(a, w, c) y = Relu(d) }", false},
    // What is turned in registers moves along the rows of a tile, what stays does not.
    {"sums_of_differences",
     "(float[2,1,8,1] x, float[2,3,8,8] v, float[8,1] u, float[5,8,9] w) => (float[2,3,8,1] y, float[5,8,1] z) "
     "<int64[1] last = {-1}> { d = Sub(v, x) y = ReduceSum(d, last) e = Mul(w, u) z = ReduceMax(e, last) }",
     false},
    {"integer_gemm_one_a_row",
     "(uint8[3,8] a, int8[8,3] w, int32[3,1] b) => (float[3,3] y) <float sa = {0.02}, uint8 za = {120}, float sw = "
     "{0.01}, float sb "
     "= {0.0002}> { x = DequantizeLinear(a, sa, za) v = DequantizeLinear(w, sw) c = DequantizeLinear(b, sb) y = "
     "Gemm(x, v, c) }",
     false},
    // ---- nothing in some dimension ----
    {"no_rows",
     "(float[0,3] a, float[3,4] w) => (float[0,4] y, float[0,4] z) { m = MatMul(a, w) y = Relu(m) z = Softmax(m) }",
     true},
    {"no_columns", "(float[2,3] a, float[3,0] w) => (float[2,0] y) { y = MatMul(a, w) }", true},
    {"no_inner_dimension",
     "(float[2,0] a, float[0,4] w, float[4] b) => (float[2,4] y, float[2,4] z) { y = Gemm(a, w, b) m = MatMul(a, w) z "
     "= Add(m, b) }",
     true},
    {"no_inner_dimension_computed",
     "(float[2,0] a, float[0,4] c) => (float[2,4] y, float[5,2,4] z) <int64[3] one = {1, 2, 0}, int64[3] five = {5, 0, "
     "4}> { y = "
     "MatMul(a, c) d = Expand(a, one) e = Expand(c, five) z = MatMul(d, e) }",
     true},
    {"no_images",
     "(float[0,3,6,6] a, float[4,3,3,3] w) => (float[0,4,3,3] y, float[0,4,1,1] z) { c = Conv<pads = [1,1,1,1]>(a, w) "
     "r = Relu(c) y = "
     "MaxPool<kernel_shape = [2,2], strides = [2,2]>(r) z = GlobalAveragePool(y) }",
     true},
    {"no_channels", "(float[1,0,5,5] a, float[4,0,3,3] w, float[4] b) => (float[1,4,3,3] y) { y = Conv(a, w, b) }",
     true},
    {"no_integer_channels",
     "(uint8[1,0,5,5] a, int8[4,0,3,3] w) => (int32[1,4,3,3] y) <uint8 z = {7}> { y = ConvInteger(a, w, z) }", true},
    {"no_pixels_but_padding",
     "(float[1,3,0,5] a, float[4,3,1,1] w, float[4] b) => (float[1,4,2,5] y) { c = Relu(a) y = Conv<pads = "
     "[1,0,1,0]>(c, w, b) }",
     true},
    {"nothing_moved",
     "(float[0,3] a, float[2,3] c) => (float[2,3] k, float[0] r, float[3,0] t, float[0,3] s, float[2,3] p) <int64[1] "
     "flat = {-1}, "
     "int64[1] two = {2}, int64[1] zero = {0}, int64[4] pads = {1, 0, 1, 0}> { k = Concat<axis = 0>(a, c, a) r = "
     "Reshape(a, flat) "
     "t = Transpose(a) s = Slice(c, two, two, zero) p = Pad(a, pads) }",
     true},
    {"sums_of_nothing",
     "(float[2,0,3] a) => (float[2,3] y, float[2,1,1] z, float[2,3] p) <int64[1] one = {1}, int64[2] inner = {1, 2}> { "
     "y = "
     "ReduceSum<keepdims = 0>(a, one) z = ReduceSum(a, inner) p = ReduceProd<keepdims = 0>(a, one) }",
     true},
    {"gathered_by_no_indices", "(float[4,3] a, int64[0] i) => (float[0,3] y) { y = Gather(a, i) }", true},
    // ---- numbers ----
    {"softmax_of_a_number", "(float a) => (float y, float z) { y = Softmax(a) z = LogSoftmax(a) }", true},
    {"quantized_numbers",
     "(float a, float[1] s, uint8[1] z) => (uint8 y, float x) { t = Abs(s) y = QuantizeLinear(a, t, z) x = "
     "DequantizeLinear(y, t, z) }",
     true},
    {"reduced_number", "(float a) => (float y, float z) { y = ReduceSum(a) z = ReduceMax(a) }", true},
    {"moved_number",
     "(float a) => (float[1,1] f, float[2,3] e, float t) <int64[2] shape = {2, 3}> { f = Flatten<axis = 0>(a) e = "
     "Expand(a, shape) t = Transpose(a) }",
     true},
    {"vector_of_one_scale",
     "(float[2,3] a) => (uint8[2,3] q, float[2,3] y) <float[1] s = {0.02}, uint8 z = {3}> { q = QuantizeLinear(a, s, "
     "z) y = "
     "DequantizeLinear(q, s, z) }",
     true},
    // ---- attribute lists that are empty ----
    {"empty_lists_of_conv",
     "(float[1,2,4,4] a, float[3,2,2,2] w) => (float[1,3,3,3] y) { y = Conv<pads : ints = [], strides : ints = [], "
     "dilations : ints = "
     "[], kernel_shape : ints = []>(a, w) }",
     false},
    {"empty_lists_of_pools",
     "(float[1,2,4,4] a) => (float[1,2,3,3] y, float[1,2,3,3] z) { y = MaxPool<kernel_shape = [2,2], pads : ints = [], "
     "strides : ints = "
     "[]>(a) z = AveragePool<kernel_shape = [2,2], pads : ints = [], dilations : ints = []>(a) }",
     false},
    {"empty_permutation", "(float[2,3,4] a) => (float[4,3,2] y) { y = Transpose<perm : ints = []>(a) }", true},
    // ---- values with several roles ----
    {"output_and_residual",
     "(float[1,8,6,6] a, float[1,8,6,6] c, float[8,8,1,1] w) => (float[1,8,6,6] r, float[1,8,6,6] y) { r = Neg(a) d = "
     "Conv(c, w) y = Add(d, "
     "r) }",
     false},
    {"output_and_convolution_input",
     "(float[1,3,6,6] a, float[3,3,3,3] w) => (float[1,3,6,6] r, float[1,3,6,6] c, float[1,3,6,6] y) { r = Relu(a) c = "
     "Conv<pads = "
     "[1,1,1,1]>(r, w) y = Conv<pads = [1,1,1,1]>(c, w) }",
     false},
    {"output_concat_member_and_view",
     "(float[1,3,4,4] a, float[3,3,1,1] w) => (float[1,3,4,4] c, float[1,6,4,4] k, float[1,3,16] v, float[1,3,16] u) "
     "<int64[3] shape = {1, "
     "3, 16}> { c = Conv(a, w) k = Concat<axis = 1>(c, a) v = Reshape(c, shape) u = Relu(v) }",
     false},
    {"view_of_an_output_as_residual",
     "(float[1,4,4,4] a, float[4,4,1,1] w) => (float[1,4,4,4] r, float[1,4,4,4] y) { r = Relu(a) t = Transpose<perm = "
     "[0,1,3,2]>(r) c = "
     "Conv(a, w) y = Add(c, t) }",
     false},
    {"one_value_twice",
     "(float[2,3] a, float[2] b) => (float[2,3] x, float[2,3] y, float[2,3] z, float[2] k) { x = Relu(a) y = "
     "Identity(x) z = Identity(a) k "
     "= Identity(b) }",
     true},
    {"residual_of_a_matmul_between_convolutions",
     "(float[1,8,6] a, float[8,8,1] w, float[6,6] b) => (float[1,8,6] y) { c = Conv(a, w) m = MatMul(c, b) s = Add(m, "
     "c) y = Conv(s, w) }",
     false},
    {"residual_computed_before_its_cast",
     "(float[1,4,6,6] a, int8[1,4,6,6] q, float[4,4,1,1] w) => (float[1,4,6,6] y) { c = Conv(a, w) n = Neg(q) f = "
     "Cast<to = 1>(n) y = Add(c, "
     "f) }",
     false},
    {"many_residuals",
     "(float[1,4,3,3] a, float[4,4,1,1] w) => (float[1,4,3,3] y) { c = Conv(a, w) r1 = Neg(a) r2 = Abs(a) r3 = Relu(a) "
     "r4 = Mul(a, r1) r5 = "
     "Add(a, r2) r6 = Sub(r1, r3) r7 = Mul(r2, r6) r8 = Mul(r1, r1) r9 = Mul(r2, r2) s1 = Add(c, r1) s2 = Mul(s1, r2) "
     "s3 = Add(s2, r3) s4 = "
     "Mul(s3, r4) s5 = Add(s4, r5) s6 = Mul(s5, r6) s7 = Add(s6, r7) s8 = Mul(s7, r8) y = Add(s8, r9) }",
     false},
    {"pads_that_crop_more_than_there_is",
     "(float[3,2] a) => (float[2,2] y, float[3,4] z) <int64[4] p = {-5, 0, 4, 0}, int64[4] q = {4, 1, -4, 1}> { y = "
     "Pad(a, p) z = Pad(a, "
     "q) }",
     true},
    // ---- values that readers want in different ways ----
    {"output_and_residual_of_a_matrix_product",
     "(float[2,3,8] a, float[2,3,8] c, float[8,8] w) => (float[2,3,8] r, float[2,3,8] m, float[2,3,8] y) { r = Neg(c) "
     "m "
     "= MatMul(a, w) n = MatMul(r, w) y = Add(n, r) }",
     false},
    {"output_and_quantized_residual",
     "(float[1,8,6,6] a, float[1,8,6,6] c, float[8,8,1,1] w) => (uint8[1,8,6,6] q, float[1,8,6,6] y) <float s = "
     "{0.02}, "
     "uint8 z = {100}> { q = QuantizeLinear(a, s, z) r = DequantizeLinear(q, s, z) d = Conv(c, w) y = Add(d, r) }",
     false},
    {"output_read_by_windows_of_all_kinds",
     "(float[1,6,7,5] a, float[6,1,3,3] w) => (float[1,6,7,5] r, float[1,6,7,5] y, float[1,6,4,3] z, float[1,6,7,5] m, "
     "float[1,6,5,3] n) { r = Abs(a) y = Conv<group = 6, pads = [1,1,1,1]>(r, w) z = Conv<group = 6, pads = [2,2,2,2], "
     "strides = [2,2], dilations = [2,2]>(r, w) m = MaxPool<kernel_shape = [5,3], pads = [2,1,2,1]>(r) n = "
     "Conv<group = 6>(r, w) }",
     false},
    {"inner_outputs_of_a_residual_chain",
     "(float[1,8,5,5] a, float[8,8,3,3] w, float[8] b) => (float[1,8,5,5] c, float[1,8,5,5] s, float[1,8,5,5] t, "
     "float[1,8,5,5] y) { c = Conv<pads = [1,1,1,1]>(a, w, b) d = Conv<pads = [1,1,1,1]>(c, w, b) s = Add(d, c) e = "
     "Conv<pads = [1,1,1,1]>(s, w) t = Relu(e) f = Add(t, s) y = Mul(f, c) }",
     false},
    {"concatenated_again_and_again",
     "(float[1,4,5,5] a, float[4,4,1,1] w) => (float[1,12,5,5] k, float[1,24,5,5] y, float[1,4,5,5] z) { c = Conv(a, "
     "w) "
     "k = Concat<axis = 1>(c, a, c) y = Concat<axis = 1>(k, k) d = Conv(c, w) z = Add(d, c) }",
     false},
    {"parts_as_residuals",
     "(float[1,8,5,4] a, float[4,4,1,1] w) => (float[1,4,5,4] y, float[1,4,5,4] z, float[1,4,5,4] u, float[1,4,4,5] v) "
     "<int64[1] one = {1}, int64[1] five = {5}, int64[1] last = {-1}, int64[1] all = {-9}, int64[1] three = {3}> { r = "
     "Relu(a) s, t = Split<axis = 1, num_outputs = 2>(r) c = Conv(s, w) y = Add(c, t) m = Slice(r, one, five, one) d = "
     "Conv(m, w) z = Add(d, t) back = Slice(t, last, all, three, last) e = Conv(s, w) u = Sub(e, back) f = "
     "Transpose<perm = [0,1,3,2]>(t) g = Conv(f, w) v = Mul(g, f) }",
     false},
    {"expanded_residuals",
     "(float[1,8,1,1] a, float[1,8,4,3] c, float[6,7] d, float[1,7] e, float[8,8,1,1] w, float[7,7] b) => "
     "(float[1,8,4,3] y, float[6,7] z) <int64[4] image = {1, 8, 4, 3}, int64[2] rows = {6, 7}> { r = Relu(a) x = "
     "Expand(r, image) f = Conv(c, w) y = Add(f, x) u = Relu(e) v = Expand(u, rows) m = MatMul(d, b) z = Mul(m, v) }",
     false},
    {"views_of_inputs_as_outputs",
     "(float[1,5,4,6] a, float[6,6,3,3] w) => (float[1,6,5,4] t, float[1,6,5,4] y, float[1,6,5,2] p, float[6,20] v) "
     "<int64[1] zero = {0}, int64[1] two = {2}, int64[1] axis = {3}, int64[2] flat = {6, 20}> { t = Transpose<perm = "
     "[0,3,1,2]>(a) y = Conv<pads = [1,1,1,1]>(t, w) p = Slice(t, zero, two, axis) v = Reshape(t, flat) }",
     false},
    {"channels_last_from_outside",
     "(float[1,5,4,6] a, float[1,5,4,6] c, float[6,6,1,1] w) => (float[1,5,4,6] y) { s = Transpose<perm = "
     "[0,3,1,2]>(a) "
     "t = Transpose<perm = [0,3,1,2]>(c) d = Conv(s, w) e = Add(d, t) y = Transpose<perm = [0,2,3,1]>(e) }",
     false},
    {"product_and_convolution_meet",
     "(float[1,6,6] a, float[6,6,1] w, float[6,6] b) => (float[1,6,6] s, float[1,6,6] y) { c = Conv(a, w) m = "
     "MatMul(a, "
     "b) s = Add(m, c) r = Relu(s) d = Conv(r, w) n = MatMul(r, b) y = Add(d, n) }",
     false},
    {"outputs_of_one_pixel",
     "(float[2,8,4,4] a, float[8,8,4,4] w) => (float[2,8,1,1] c, float[2,8,1,1] y, float[2,8,4,4] z, float[2,8] v) "
     "<int64[2] flat = {2, 8}> { c = Conv(a, w) g = GlobalAveragePool(a) y = Add(c, g) z = Mul(a, y) v = Reshape(y, "
     "flat) }",
     false},
    {"windows_over_no_rows",
     "(float[1,3,0,5] a, float[4,3,3,3] w) => (float[1,4,0,3] x, float[1,3,0,5] y, float[1,3,0,3] z) { x = "
     "Conv<auto_pad = \"SAME_UPPER\", strides = [2,2]>(a, w) y = MaxPool<kernel_shape = [3,3], pads = "
     "[1,1,1,1]>(a) z = AveragePool<kernel_shape = [3,3], auto_pad = \"SAME_LOWER\", strides = [2,2]>(a) }",
     true},
    {"windows_shorter_than_their_strides",
     "(float[1,3,7,8] a, float[4,3,1,2] w) => (float[1,4,3,2] x, float[1,4,3,2] l, float[1,3,3,2] y, float[1,3,3,2] z) "
     "{ x = Conv<auto_pad = \"SAME_UPPER\", strides = [3,5]>(a, w) l = Conv<auto_pad = \"SAME_LOWER\", strides = "
     "[3,5]>(a, w) y = MaxPool<kernel_shape = [1,2], auto_pad = \"SAME_LOWER\", strides = [3,5]>(a) z = "
     "AveragePool<kernel_shape = [2,2], auto_pad = \"SAME_UPPER\", strides = [3,5]>(a) }",
     false},
    {"nothing_beside_something",
     "(float[1,4,3,3] a, float[1,0,3,3] e, float[4,4,3,3] w) => (float[1,4,3,3] y, float[1,0,3,3] t, float[1,4,0,3] u, "
     "float[1,4,3,3] z) <int64[2] parts = {4, 0}, int64[1] zero = {0}, int64[1] axis = {2}> { k = Concat<axis = 1>(e, "
     "a, e) c = Conv<pads = [1,1,1,1]>(k, w) s, t = Split<axis = 1>(c, parts) y = Relu(s) u = Slice(c, zero, zero, "
     "axis) d = Conv<pads = [1,1,1,1]>(s, w) z = Add(d, s) }",
     false},
    {"results_of_branches_as_residuals",
     "(bool p, float[1,4,5,5] a, float[4,4,3,3] w) => (float[1,4,5,5] r, float[1,4,5,5] y) { r = If(p) <then_branch = "
     "g() => (float[1,4,5,5] u) { u = Conv<pads = [1,1,1,1]>(a, w) }, else_branch = h() => (float[1,4,5,5] v) { v = "
     "Neg(a) }> c = Conv<pads = [1,1,1,1]>(r, w) y = Add(c, r) }",
     false},
    // ---- what is fused behind a sum ----
    {"float_depthwise_quantized",
     "(float[1,83,4,3] a, float[83,1,2,2] w, float[83] b) => (uint8[1,83,3,2] y, int8[1,83,4,3] z) <float s = {0.01}, "
     "uint8 zy = {128}, int8 zz = {3}> { c = Conv<group = 83>(a, w, b) y = QuantizeLinear(c, s, zy) d = "
     "Conv<group = 83, pads = [1,1,0,0]>(a, w) e = Relu(d) z = QuantizeLinear(e, s, zz) }",
     false},
    {"float_products_quantized",
     "(float[5,37] a, float[37,83] w, float[83] b) => (uint8[5,83] y) <float s = {0.05}, uint8 zy = {128}> { c = "
     "Gemm(a, w, b) y = QuantizeLinear(c, s, zy) }",
     false},
};

}  // namespace lapis::testing
