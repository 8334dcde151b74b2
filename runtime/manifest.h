// The manifest of an artifact (runtime/artifact.h): all of its Programs but the bytes that lie in the other sections.
// Words of 64 bits, little endian, and texts behind their lengths; a member is written and read where it stands in its
// struct.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/program.h"

namespace lapis {

// A Program without its sections, and what the manifest says about them.
struct Variant {
  uint64_t code_size = 0, code_sum = 0, table_sum = 0;
  Program program;
};

std::string write_manifest(std::span<const Program> variants);
// nullopt if no manifest reads so. Numbers of kinds and types are in their ranges; whether offsets and sizes make sense
// is for flaw_of(Program) to say.
std::optional<std::vector<Variant>> read_manifest(std::span<const std::byte> bytes);

// Of the tables in the constants that become addresses.
uint64_t sum_of_tables(const Program& program);

}  // namespace lapis
