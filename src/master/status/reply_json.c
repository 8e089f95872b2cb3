#include "master/status/reply_json.h"

#include "base/cleanup.h"
#include "master/status/json_value.h"

/* An array of the results of `item` for 0 … `count` - 1; NULL if one fails. */
static json_t *array_of(size_t count, json_t *(*item)(const void *context, size_t index), const void *context)
{
        json_t *array = json_array();

        for (size_t i = 0; i < count; i++)
                if (json_array_append_new(array, item(context, i)) != 0) {
                        json_decref(array);
                        return NULL;
                }
        return array;
}

struct decisions {
        const struct decision_ring *ring;
        uint64_t now_ms, wall_ms;
};

static json_t *decision_json(const void *context, size_t index)
{
        const struct decisions *decisions = context;
        const struct decision *decision = decision_ring_at(decisions->ring, index);
        uint64_t age_ms = decisions->now_ms - MIN_OF(decision->time_ms, decisions->now_ms);

        return json_pack("{s:o, s:o, s:o, s:b, s:o}", "time", json_value_time(decisions->wall_ms - age_ms), "time_ms",
                         json_value_number(decisions->wall_ms - age_ms), "age_ms", json_value_number(age_ms),
                         "template", decision->of_template, "text", json_value_text(decision->text));
}

json_t *reply_json_decisions(const struct decision_ring *ring, uint64_t now_ms, uint64_t wall_ms)
{
        const struct decisions decisions = {.ring = ring, .now_ms = now_ms, .wall_ms = wall_ms};

        return array_of(decision_ring_length(ring), decision_json, &decisions);
}

static json_t *problem_json(const void *context, size_t index)
{
        const struct problem_list *problems = context;
        const struct problem *problem = &problems->items[index];

        return json_pack("{s:s, s:o, s:o, s:o}", "severity", problem->warning ? "warning" : "error", "file",
                         problem->file ? json_value_text(problem->file) : json_null(), "line",
                         problem->line > 0 && problem->file ? json_value_number(problem->line) : json_null(), "text",
                         json_value_text(problem->text));
}

json_t *reply_json_problems(const struct problem_list *problems)
{
        return array_of(problems->count, problem_json, problems);
}

static json_t *word_json(const void *context, size_t index)
{
        const struct words *words = context;

        return json_value_text(words->list[index]);
}

json_t *reply_json_words(const struct words *words)
{
        return array_of(words->count, word_json, words);
}

static json_t *change_json(const void *context, size_t index)
{
        const struct reload_changes *changes = context;
        const struct reload_change *change = &changes->pools[index];

        return json_pack("{s:o, s:s, s:o, s:o}", "pool", json_value_text(change->pool), "verb",
                         reload_verb_name(change->verb), "options", reply_json_words(&change->options), "files",
                         reply_json_words(&change->files));
}

json_t *reply_json_changes(const struct reload_changes *changes)
{
        return array_of(changes->count, change_json, changes);
}
