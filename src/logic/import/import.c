#include "logic/import/import.h"

#include <errno.h>

#include "base/cleanup.h"
#include "logic/import/hosts_access.h"
#include "logic/import/inetd.h"
#include "logic/import/lines.h"
#include "logic/import/php_fpm.h"
#include "logic/import/rule_list.h"
#include "logic/import/systemd.h"
#include "logic/import/tcprules.h"
#include "logic/import/tcpserver.h"
#include "logic/import/xinetd.h"

const struct import_format import_formats[] = {
        {"xinetd", "FILE|DIRECTORY...", "xinetd.conf", xinetd_rows, &xinetd_row_count, xinetd_convert},
        {"inetd", "FILE...", "inetd.conf", inetd_rows, &inetd_row_count, inetd_convert},
        {"systemd", "NAME.socket...", "x.socket", systemd_rows, &systemd_row_count, systemd_convert},
        {"tcpserver", "-- COMMAND LINE", "command line", tcpserver_rows, &tcpserver_row_count, tcpserver_convert},
        {"php-fpm", "FILE|DIRECTORY...", "www.conf", php_fpm_rows, &php_fpm_row_count, php_fpm_convert},
};
const size_t import_format_count = ELEMENTS(import_formats);

const struct import_list_format import_list_formats[] = {
        [IMPORT_LIST_TCPRULES] = {"tcprules", "FILE"},
        [IMPORT_LIST_HOSTS_ACCESS] = {"hosts-access", "DAEMON [HOSTS.ALLOW [HOSTS.DENY]]"},
};

const struct import_format *import_format_find(const char *name)
{
        for (size_t i = 0; i < import_format_count; i++)
                if (text_equal(import_formats[i].name, name))
                        return &import_formats[i];
        return NULL;
}

int import_convert(const struct import_format *format, const struct import_input *input, struct text *text,
                   bool *ret_undecided)
{
        struct draft draft = {0};

        draft_note(&draft, NULL,
                   "Made by preforkctl import %s. Check it with preforkd -t, and read what is marked with !.",
                   format->name);
        int r = format->convert(&draft, input);
        if (r == 0)
                r = draft_print(&draft, text);
        *ret_undecided = draft.undecided;
        draft_clear(&draft);
        return r;
}

int import_list_convert(size_t format, const char *daemon, const struct import_source *sources, size_t count,
                        struct text *text, bool *ret_undecided)
{
        static const struct import_source nothing = {.name = "", .bytes = ""};
        struct rule_list list = {.file = count > 0 ? sources[0].name : ""};
        int r = text_appendf(text,
                             "# Made by preforkctl import %s. These lines belong into the section of a pool; read "
                             "what is marked with !.\n",
                             import_list_formats[format].name);

        if (format == IMPORT_LIST_TCPRULES)
                tcprules_convert(&list, count > 0 ? &sources[0] : &nothing);
        else
                hosts_access_convert(&list, daemon, count > 0 ? &sources[0] : &nothing,
                                     count > 1 ? &sources[1] : &nothing);
        if (r == 0)
                r = rule_list_print(&list, text);
        *ret_undecided = list.closed;
        rule_list_clear(&list);
        return r;
}

int import_table(const struct import_format *format, struct text *text)
{
        int r = 0;

        for (size_t i = 0; i < *format->row_count && r == 0; i++) {
                const struct import_row *row = &format->rows[i];
                r = text_appendf(text, "%-28s %-28s %s\n", row->word, row->ours ? row->ours : "-",
                                 row->advice ? row->advice : "");
                while (r == 0 && text->length > 1 && text->bytes[text->length - 2] == ' ') {
                        text_cut(text, text->length - 2);
                        r = text_append(text, "\n");
                }
        }
        return r;
}

bool import_has_rules(const struct import_source *source)
{
        struct import_lines lines = {.source = source};
        bool found = import_lines_next(&lines, "#") != NULL;

        import_lines_clear(&lines);
        return found;
}
