// The table of lowering rows: complete, and consistent with the operators' records.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "codegen/lower/op_lowering.h"
#include "ir/op.h"

namespace lapis::codegen {
namespace {

TEST(OpTable, EveryRecordHasARowOrIsListedAsWithoutCode) {
  const std::set<const OpDef*> without(ops_without_code().begin(), ops_without_code().end());
  for (const OpDef* op : all_ops()) EXPECT_NE(row_of(*op) != nullptr, without.contains(op)) << op->name;
}

TEST(OpTable, RowsSayWhatTheirFormsNeed) {
  for (const OpDef* op : all_ops()) {
    const OpLowering* row = row_of(*op);
    if (!row) continue;
    ASSERT_FALSE(row->forms.empty()) << op->name;
    const bool scalar = std::ranges::any_of(row->forms, [](const Form& f) { return f.role == Role::Scalar; });
    EXPECT_EQ(scalar, row->translate != nullptr) << op->name;
    EXPECT_TRUE(row->tables == 0 || scalar) << op->name;
    for (const Form& form : row->forms) {
      EXPECT_TRUE(form.lower) << op->name;
      if (form.role == Role::Contraction) {
        EXPECT_TRUE(row->product) << op->name;
      }
    }
  }
}

TEST(OpTable, MasksNameOperandsThatExist) {
  for (const OpDef* op : all_ops()) {
    const OpLowering* row = row_of(*op);
    if (!row) continue;
    for (size_t i = 0; i < 32; ++i) {
      if (in_mask(row->constant, i) || in_mask(row->inlined, i) || in_mask(row->tables, i)) {
        EXPECT_LT(i, op->max_inputs()) << op->name;
      }
    }
  }
}

TEST(OpTable, ElementwiseRecordsAreScalarsInCode) {
  for (const OpDef* op : all_ops()) {
    const OpLowering* row = row_of(*op);
    if (row && op->has(Trait::Elementwise)) {
      EXPECT_EQ(row->forms[0].role, Role::Scalar) << op->name;
    }
  }
}

}  // namespace
}  // namespace lapis::codegen
