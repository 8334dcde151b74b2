// What the reader must know of classes of layers, besides what translators know:
// how they are called, and what they give.
#pragma once

#include "frontends/keras/config.h"

namespace lapis::keras_frontend {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names);
// What translators call a layer: its class, or as an operator "ops.Add",
// where old files do not say which of both it is.
std::string operator_of(const Json& layer);
// "LSTM" of a layer that cuDNN computes (CuDNNLSTM), which is the same with its weights in another order;
// others as they are.
std::string plain_layer(const std::string& layer);
bool is_recurrent(const std::string& layer);  // LSTM, GRU, SimpleRNN, whatever computes them
bool is_conv_lstm(const std::string& layer);
bool is_attention(const std::string& layer);  // Attention, AdditiveAttention
bool has_heads(const std::string& layer);     // MultiHeadAttention, GroupQueryAttention
// The names of its operands, for layers that have several of different kinds;
// a list fills neighbours of one name. Empty: all are alike.
std::vector<std::string_view> slots_of(const std::string& layer);
size_t output_count(const std::string& layer, const Json& config);
// Whether a wrapper that applies it to each step need not take the steps apart.
bool works_on_last_axis(const std::string& layer);
bool directions_differ(const Json& config);  // whether the two layers of a Bidirectional are of different kinds
// Why the layer cannot be translated whatever its options are; empty if a translator must know.
std::string refusal_of(const Json& layer);

}  // namespace lapis::keras_frontend
