#include "logic/import/xinetd.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "logic/import/lines.h"
#include "logic/import/service.h"
#include "logic/import/xinetd_file.h"

/* One service, with what it takes of `defaults`. */
struct service {
        struct draft *draft;
        struct draft_pool *pool;
        const struct import_input *input;
        const struct xinetd_file *file;
        const struct xinetd_block *block;
};

/* What a service says about an attribute in the end. */
struct attribute {
        struct text value;
        const char *file;
        unsigned line;
        bool found;
};

static void attribute_clear(struct attribute *attribute)
{
        text_clear(&attribute->value);
}

/* Does xinetd ignore the line of the block? What is no list is set once, by =. */
static bool is_ignored(const struct xinetd_block *block, size_t line)
{
        const struct xinetd_attribute *attribute = &block->attributes[line];
        bool ignored = attribute->operation != '=';

        for (size_t i = 0; i < line; i++)
                ignored = ignored || (text_equal(block->attributes[i].name, attribute->name) &&
                                      block->attributes[i].operation == '=');
        return ignored && !xinetd_is_list(attribute->name);
}

/* Remove the words of `remove` from the list. 0 or -ENOMEM. */
static int remove_words(struct text *value, const char *remove)
{
        _cleanup_(words_clear) struct words words = {0}, gone = {0};
        int r = import_split(text_string(value), &words);

        if (r == 0)
                r = import_split(remove, &gone);
        text_truncate(value);
        for (size_t i = 0; i < words.count && r == 0; i++) {
                bool stays = true;
                for (size_t g = 0; g < gone.count; g++)
                        stays = stays && !text_equal(words.list[i], gone.list[g]);
                r = stays ? text_appendf(value, "%s%s", value->length > 0 ? " " : "", words.list[i]) : 0;
        }
        return r;
}

/* Apply one line to what the attribute is so far. In `defaults` lists always grow. */
static int apply(struct attribute *attribute, const struct xinetd_attribute *line, bool of_defaults)
{
        attribute->found = true;
        attribute->file = line->file;
        attribute->line = line->line;
        if (line->operation == '-')
                return remove_words(&attribute->value, line->value);
        if (line->operation == '=' && !(of_defaults && xinetd_is_list(line->name)))
                text_truncate(&attribute->value);
        const char *blank = attribute->value.length > 0 && line->value[0] != '\0' ? " " : "";
        return text_appendf(&attribute->value, "%s%s", blank, line->value);
}

static int merge_block(const struct xinetd_block *block, const char *name, struct attribute *attribute)
{
        int r = 0;

        for (size_t i = 0; i < block->count && r == 0; i++)
                if (text_equal(block->attributes[i].name, name) && !is_ignored(block, i))
                        r = apply(attribute, &block->attributes[i], !block->service);
        return r;
}

/* What `defaults` and then the service say. */
static struct attribute find(const struct service *service, const char *name)
{
        struct attribute attribute = {0};
        int r = 0;

        for (size_t b = 0; b < service->file->count && r == 0; b++)
                if (!service->file->blocks[b].service && xinetd_is_of_defaults(name))
                        r = merge_block(&service->file->blocks[b], name, &attribute);
        if (r == 0)
                r = merge_block(service->block, name, &attribute);
        if (r < 0)
                service->draft->out_of_memory = true;
        return attribute;
}

/* True if one of the words of the attribute is `word`. */
static bool has_word(const struct service *service, const char *name, const char *word)
{
        _cleanup_(attribute_clear) struct attribute attribute = find(service, name);
        _cleanup_(words_clear) struct words words = {0};
        bool found = false;

        if (import_split(text_string(&attribute.value), &words) < 0)
                service->draft->out_of_memory = true;
        for (size_t i = 0; i < words.count; i++)
                found = found || strcasecmp(words.list[i], word) == 0;
        return found;
}

static bool has(const struct service *service, const char *name)
{
        _cleanup_(attribute_clear) struct attribute attribute = find(service, name);

        return attribute.found;
}

static bool is_udp(const struct service *service)
{
        return has_word(service, "socket_type", "dgram") || has_word(service, "protocol", "udp");
}

/* The words that some attributes may have; other words are of services that preforkd cannot serve. */
static void leave_out_kinds(const struct service *service)
{
        static const struct {
                const char *attribute;
                const char *words[3];
        } known[] = {
                {"type", {"INTERNAL", "UNLISTED"}}, {"socket_type", {"stream", "dgram"}},
                {"protocol", {"tcp", "udp"}},       {"wait", {"yes", "no"}},
                {"disable", {"yes", "no"}},         {"v6only", {"yes", "no"}},
        };

        for (size_t k = 0; k < ELEMENTS(known); k++) {
                _cleanup_(attribute_clear) struct attribute attribute = find(service, known[k].attribute);
                _cleanup_(words_clear) struct words words = {0};
                if (import_split(text_string(&attribute.value), &words) < 0)
                        service->draft->out_of_memory = true;
                for (size_t i = 0; i < words.count; i++) {
                        bool found = false;
                        for (size_t w = 0; known[k].words[w]; w++)
                                found = found || strcasecmp(known[k].words[w], words.list[i]) == 0;
                        if (!found)
                                draft_leave_out(service->draft, service->pool,
                                                "%s = %s: such services are not served here", known[k].attribute,
                                                words.list[i]);
                }
        }
        if (has_word(service, "flags", "SENSOR"))
                draft_leave_out(service->draft, service->pool,
                                "flags = SENSOR: it serves nobody, and clients are not shut out for having come to it");
}

static void convert_listen(const struct service *service)
{
        _cleanup_(attribute_clear) struct attribute port = find(service, "port"), bind = find(service, "bind"),
                                                    interface = find(service, "interface"),
                                                    v6only = find(service, "v6only");
        const struct attribute *host = interface.found ? &interface : &bind;
        const char *name = port.found ? text_string(&port.value) : service->block->service;
        bool is_v4 = has_word(service, "flags", "IPv4") && !has_word(service, "flags", "IPv6");
        const char *address = host->found ? text_string(&host->value) : is_v4 ? "0.0.0.0" : "";

        service_listen(service->draft, service->pool, service->input, address, name, is_udp(service));
        if (!v6only.found)
                return;
        if (!strpbrk(draft_value(service->pool, "listen"), "[*"))
                draft_note(service->draft, service->pool, "v6only = %s: no effect: it has no IPv6 address",
                           text_string(&v6only.value));
        else if (import_is_yes(text_string(&v6only.value)))
                draft_set(service->draft, service->pool, "ipv6_only", "yes");
        else
                draft_note(service->draft, service->pool,
                           "v6only = no: IPv4 is served, too; xinetd 2.3.15.3 takes whatever a service says for yes");
}

static void convert_redirect(const struct service *service, const char *value)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(text_clear) struct text handler = {0};

        if (import_split(value, &words) < 0 || words.count != 2) {
                draft_leave_out(service->draft, service->pool, "redirect = %s: expected an address and a port", value);
                return;
        }
        unsigned port = import_port(&service->input->services, words.list[1], "tcp");
        bool is_ipv6 = strchr(words.list[0], ':') != NULL;
        int r = text_appendf(&handler, is_ipv6 ? "redirect '[%s]:%u'" : "redirect '%s:%u'", words.list[0], port);
        if (r < 0)
                service->draft->out_of_memory = true;
        draft_set(service->draft, service->pool, "handler_type", "builtin");
        if (!draft_set(service->draft, service->pool, "handler", text_string(&handler)))
                draft_leave_out(service->draft, service->pool, "redirect = %s: it cannot be carried over", value);
}

static void convert_server(const struct service *service)
{
        _cleanup_(attribute_clear) struct attribute server = find(service, "server"),
                                                    args = find(service, "server_args");
        _cleanup_(words_clear) struct words argv = {0}, words = {0};
        bool is_named = has_word(service, "flags", "NAMEINARGS");
        int r = import_split(text_string(&args.value), &words);

        if (!server.found)
                draft_leave_out(service->draft, service->pool, "it has no server");
        if (r == 0 && !is_named)
                r = words_add(&argv, text_string(&server.value));
        for (size_t i = 0; i < words.count && r == 0; i++)
                r = words_add(&argv, words.list[i]);
        if (r < 0)
                service->draft->out_of_memory = true;
        if (server.found)
                service_named_handler(service->draft, service->pool, text_string(&server.value), &argv);
        if (has_word(service, "wait", "yes"))
                service_wait(service->draft, service->pool);
}

/* A row about connections that xinetd accepts itself, in a service that takes them itself or has none: a comment. */
static bool is_void(const struct service *service, const struct import_directive *directive)
{
        static const char *const limits[] = {"instances", "per_source", "cps"};
        bool waits = has_word(service, "wait", "yes"), is_limit = false;

        for (size_t i = 0; i < ELEMENTS(limits); i++)
                is_limit = is_limit || text_equal(directive->word, limits[i]);
        if (text_starts_with(directive->word, "banner") && (waits || is_udp(service)))
                draft_note(service->draft, service->pool, "%s = %s: nobody is greeted by a service that waits",
                           directive->word, directive->value);
        else if (waits && is_limit)
                draft_note(service->draft, service->pool,
                           "%s = %s: no effect on a service that waits: it is one process, and takes its connections "
                           "itself",
                           directive->word, directive->value);
        else
                return false;
        return true;
}

/* Everything that is said once, by its row. */
static void convert_rows(const struct service *service)
{
        for (size_t i = 0; i < xinetd_row_count; i++) {
                const struct import_row *row = &xinetd_rows[i];
                _cleanup_(attribute_clear) struct attribute attribute = find(service, row->word);
                const struct import_directive directive = {.word = row->word,
                                                           .value = text_string(&attribute.value),
                                                           .file = attribute.file,
                                                           .line = attribute.line};
                if (attribute.found && !is_void(service, &directive))
                        import_row_take(service->draft, service->pool, row, &directive);
        }
        for (size_t i = 0; i < service->block->count; i++) {
                const struct xinetd_attribute *line = &service->block->attributes[i];
                const struct import_directive directive = {line->name, line->value, line->file, line->line};
                if (!import_row_find(xinetd_rows, xinetd_row_count, line->name, false))
                        import_row_take(service->draft, service->pool, NULL, &directive);
                else if (is_ignored(service->block, i))
                        draft_note(service->draft, service->pool,
                                   "%s %s %s: not carried over: xinetd takes the first %s =, and no += or -= of it",
                                   line->name,
                                   line->operation == '+'   ? "+="
                                   : line->operation == '-' ? "-="
                                                            : "=",
                                   line->value, line->name);
        }
}

static bool is_disabled(const struct service *service)
{
        _cleanup_(attribute_clear) struct attribute id = find(service, "id");
        const char *name = id.found ? text_string(&id.value) : service->block->service;

        return has_word(service, "disable", "yes") || has_word(service, "disabled", name) ||
               (has(service, "enabled") && !has_word(service, "enabled", name));
}

/* Services that preforkd serves itself, as xinetd did, whatever program and user they name: here they need no root. */
static void note_unused(const struct service *service, const char *user)
{
        static const char *const unused[] = {"server", "server_args"};

        for (size_t i = 0; i < ELEMENTS(unused); i++) {
                _cleanup_(attribute_clear) struct attribute attribute = find(service, unused[i]);
                if (attribute.found)
                        draft_note(service->draft, service->pool, "%s = %s: no effect: no program serves it", unused[i],
                                   text_string(&attribute.value));
        }
        if (text_equal(user, "root"))
                draft_note(service->draft, service->pool, "user = root: it needs no root, and gets nobody");
}

static void convert_service(const struct service *service)
{
        _cleanup_(attribute_clear) struct attribute user = find(service, "user"), redirect = find(service, "redirect");
        bool is_internal = has_word(service, "type", "INTERNAL");

        convert_listen(service);
        if (redirect.found || is_internal)
                note_unused(service, text_string(&user.value));
        if (redirect.found)
                convert_redirect(service, text_string(&redirect.value));
        else if (is_internal)
                service_builtin(service->draft, service->pool, service->block->service);
        else
                convert_server(service);
        bool needs_no_root =
                (is_internal || redirect.found) && (!user.found || text_equal(text_string(&user.value), "root"));
        service_user(service->draft, service->pool, needs_no_root ? "nobody" : text_string(&user.value));
        convert_rows(service);
        if (!has_word(service, "flags", "NOLIBWRAP"))
                service_wrapped(service->draft, service->pool, service->input);
        leave_out_kinds(service);
}

/* A service that is disabled stands there as a comment, and asks for no decision. */
static void convert_block(struct service *service)
{
        bool undecided = service->draft->undecided;
        _cleanup_(attribute_clear) struct attribute id = find(service, "id");

        service->pool = draft_add_pool(service->draft, id.found ? text_string(&id.value) : service->block->service,
                                       service->block->file, service->block->line);
        if (!service->pool)
                return;
        convert_service(service);
        if (is_disabled(service)) {
                draft_note(service->draft, service->pool, "it was disabled");
                service->pool->left_out = true;
                service->draft->undecided = undecided;
        }
}

static void note_defaults(struct draft *draft, const struct xinetd_file *file)
{
        for (size_t b = 0; b < file->count; b++)
                for (size_t i = 0; i < file->blocks[b].count && !file->blocks[b].service; i++) {
                        const struct xinetd_attribute *line = &file->blocks[b].attributes[i];
                        const struct import_directive directive = {line->name, line->value, line->file, line->line};
                        if (!import_row_find(xinetd_rows, xinetd_row_count, line->name, false))
                                import_row_take(draft, NULL, NULL, &directive);
                        else if (!xinetd_is_of_defaults(line->name))
                                draft_note(draft, NULL, "defaults: %s = %s: not carried over: xinetd takes no %s there",
                                           line->name, line->value, line->name);
                }
}

int xinetd_convert(struct draft *draft, const struct import_input *input)
{
        struct xinetd_file file = {0};
        int r = 0;

        for (size_t i = 0; i < input->count && r == 0; i++)
                r = xinetd_file_read(&file, &input->sources[i]);
        service_unread(draft, NULL, &file.unread);
        if (r == 0)
                note_defaults(draft, &file);
        draft_note(draft, NULL,
                   "What every service takes of defaults stands in each section. Handlers get no variables of "
                   "the daemon's environment unless clear_environment = no. Where bind and flags say nothing else, it "
                   "is served at every address, IPv6 and IPv4, as by Debian's xinetd; others have IPv4 alone "
                   "(0.0.0.0:PORT).");
        for (size_t b = 0; b < file.count && r == 0; b++) {
                struct service service = {.draft = draft, .input = input, .file = &file, .block = &file.blocks[b]};
                if (service.block->service)
                        convert_block(&service);
        }
        xinetd_file_clear(&file);
        return r;
}
