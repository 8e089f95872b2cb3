#include "master/control/control_outcome.h"

#include <unistd.h>

#include "master/status/reply_json.h"
#include "master/status/json_value.h"
#include "master/status/status_json.h"

static int describe_reload(const struct control_outcome *outcome, json_t *reply)
{
        json_t *dry_run = json_boolean(outcome->what == CONTROL_WAIT_DRY_RUN);
        int r = json_object_set_new(reply, "dry_run", dry_run);

        if (r == 0 && outcome->accepted)
                r = json_object_set_new(reply, "changes", reply_json_changes(outcome->changes));
        if (r == 0 && outcome->accepted)
                r = json_object_set_new(reply, "master_options", reply_json_words(&outcome->changes->master_options));
        return r;
}

static int describe_upgrade(const struct control_outcome *outcome, json_t *reply)
{
        if (!outcome->accepted)
                return 0;
        int r = json_object_set_new(reply, "from", json_value_text(outcome->from));
        if (r == 0)
                r = json_object_set_new(reply, "version", json_string(PREFORKD_VERSION));
        if (r == 0)
                r = json_object_set_new(reply, "program",
                                        outcome->program ? json_value_text(outcome->program) : json_null());
        return r == 0 ? json_object_set_new(reply, "pid", json_integer(getpid())) : r;
}

static int describe_reopening(const struct control_outcome *outcome, json_t *reply)
{
        return outcome->accepted ? json_object_set_new(reply, "log_file", json_value_text(outcome->log_file)) : 0;
}

static json_t *document_of(const struct control_outcome *outcome)
{
        static const struct problem_list none;
        static const struct {
                enum control_command command;
                int (*describe)(const struct control_outcome *outcome, json_t *reply);
                bool has_problems;
        } kinds[] = {
                [CONTROL_WAIT_RELOAD] = {CONTROL_RELOAD, describe_reload, true},
                [CONTROL_WAIT_DRY_RUN] = {CONTROL_RELOAD, describe_reload, true},
                [CONTROL_WAIT_UPGRADE] = {CONTROL_UPGRADE, describe_upgrade, true},
                [CONTROL_WAIT_REOPEN] = {CONTROL_REOPEN_LOGS, describe_reopening, false},
        };
        json_t *reply = outcome->accepted
                                ? status_json_ok(kinds[outcome->what].command)
                                : status_json_error(outcome->error ? outcome->error : "refused", outcome->message);
        int r = kinds[outcome->what].describe(outcome, reply);

        if (r == 0 && kinds[outcome->what].has_problems)
                r = json_object_set_new(reply, "problems",
                                        reply_json_problems(outcome->problems ? outcome->problems : &none));
        if (r == 0)
                return reply;
        json_decref(reply);
        return NULL;
}

void control_outcome_tell(struct control_clients *clients, const struct control_outcome *outcome)
{
        for (struct control_client *client = clients->first, *next; client; client = next) {
                next = client->next; /* an answer may free this client, but no other */
                if (client->waits_for == outcome->what && client->after_load < outcome->load)
                        control_client_answer(client, document_of(outcome));
        }
}

static void fail(struct control_clients *clients, enum control_wait what, const char *error, const char *message)
{
        const struct control_outcome outcome = {.what = what, .load = UINT64_MAX, .error = error, .message = message};

        control_outcome_tell(clients, &outcome);
}

void control_outcome_fail_reloads(struct control_clients *clients, const char *error, const char *message)
{
        fail(clients, CONTROL_WAIT_RELOAD, error, message);
        fail(clients, CONTROL_WAIT_DRY_RUN, error, message);
}

void control_outcome_fail(struct control_clients *clients, const char *error, const char *message)
{
        control_outcome_fail_reloads(clients, error, message);
        fail(clients, CONTROL_WAIT_UPGRADE, error, message);
        fail(clients, CONTROL_WAIT_REOPEN, error, message);
}
