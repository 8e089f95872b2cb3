#include "master/control_reload.h"

#include "master/control.h"
#include "master/control_json.h"

static json_t *document_of(const struct control_outcome *outcome)
{
        static const struct problem_list none;
        json_t *reply = outcome->accepted ? control_json_ok(CONTROL_RELOAD)
                                          : control_json_error("refused", outcome->message);
        json_t *dry_run = json_boolean(outcome->what == CONTROL_WAIT_DRY_RUN);
        int r = json_object_set_new(reply, "dry_run", dry_run);

        if (r == 0 && outcome->accepted)
                r = json_object_set_new(reply, "changes", control_json_changes(outcome->changes));
        if (r == 0 && outcome->accepted)
                r = json_object_set_new(reply, "master_options", control_json_words(&outcome->changes->master_options));
        if (r == 0)
                r = json_object_set_new(reply, "problems",
                                        control_json_problems(outcome->problems ? outcome->problems : &none));
        if (r == 0)
                return reply;
        json_decref(reply);
        return NULL;
}

void control_reload_done(struct control *control, const struct control_outcome *outcome)
{
        for (struct control_client *client = control->clients, *next; client; client = next) {
                next = client->next; /* an answer may free the client, and no other */
                if (client->waits_for == outcome->what && client->after_load < outcome->load)
                        control_client_answer(client, document_of(outcome));
        }
}

void control_reload_failed(struct control *control, const char *message)
{
        for (int what = CONTROL_WAIT_RELOAD; what <= CONTROL_WAIT_DRY_RUN; what++) {
                const struct control_outcome outcome = {.what = (enum control_wait)what, .load = UINT64_MAX,
                                                        .message = message};
                control_reload_done(control, &outcome);
        }
}
