/* How well a note fits a search, for ORDER BY: the sum, over the words searched
 * for, of the weight of the best column that has the word.
 *
 * FTS5's own bm25() is not used because it weighs words by how rare they are in
 * the whole table: the order of one vault's results would tell about the others'
 * notes. */
#include <stddef.h>

#include "api/db_int.h"

/* By column of notes_text: title, tags, body. */
static const int column_weight[] = {4, 2, 1};
enum { COLUMNS = sizeof column_weight / sizeof *column_weight };

static int best_weight(const Fts5ExtensionApi *fts, Fts5Context *context, int phrase, int *code) {
  Fts5PhraseIter at;
  int best = 0, column = -1;
  *code = fts->xPhraseFirstColumn(context, phrase, &at, &column);
  while (*code == SQLITE_OK && column >= 0) {
    if (column < COLUMNS && column_weight[column] > best)
      best = column_weight[column];
    fts->xPhraseNextColumn(context, &at, &column);
  }
  return best;
}

static void notes_rank(const Fts5ExtensionApi *fts, Fts5Context *context, sqlite3_context *result,
                       int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  int score = 0, code = SQLITE_OK;
  int phrases = fts->xPhraseCount(context);
  for (int phrase = 0; phrase < phrases && code == SQLITE_OK; phrase++)
    score += best_weight(fts, context, phrase, &code);
  if (code != SQLITE_OK)
    sqlite3_result_error_code(result, code);
  else
    sqlite3_result_int(result, score);
}

int db_search_register(sqlite3 *sqlite) {
  fts5_api *fts = NULL;
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(sqlite, "SELECT fts5(?1)", -1, &statement, NULL);
  if (code != SQLITE_OK)
    return code;
  code = sqlite3_bind_pointer(statement, 1, &fts, "fts5_api_ptr", NULL);
  if (code == SQLITE_OK) {
    int step = sqlite3_step(statement);
    code = step == SQLITE_ROW || step == SQLITE_DONE ? SQLITE_OK : step;
  }
  sqlite3_finalize(statement);
  if (code == SQLITE_OK && !fts)
    code = SQLITE_ERROR;
  if (code == SQLITE_OK)
    code = fts->xCreateFunction(fts, "notes_rank", NULL, notes_rank, NULL);
  return code;
}
