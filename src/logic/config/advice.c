#include "logic/config/advice.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "base/words.h"

/* Units as other programs write them. */
static const struct {
        enum option_type type;
        const char *theirs, *ours;
} units[] = {
        {OPTION_DURATION, "ms", "ms"},     {OPTION_DURATION, "msec", "ms"},
        {OPTION_DURATION, "s", "s"},       {OPTION_DURATION, "sec", "s"},
        {OPTION_DURATION, "secs", "s"},    {OPTION_DURATION, "second", "s"},
        {OPTION_DURATION, "seconds", "s"}, {OPTION_DURATION, "m", "m"},
        {OPTION_DURATION, "min", "m"},     {OPTION_DURATION, "mins", "m"},
        {OPTION_DURATION, "minute", "m"},  {OPTION_DURATION, "minutes", "m"},
        {OPTION_DURATION, "h", "h"},       {OPTION_DURATION, "hr", "h"},
        {OPTION_DURATION, "hour", "h"},    {OPTION_DURATION, "hours", "h"},
        {OPTION_SIZE, "k", "K"},           {OPTION_SIZE, "kb", "K"},
        {OPTION_SIZE, "kib", "K"},         {OPTION_SIZE, "m", "M"},
        {OPTION_SIZE, "mb", "M"},          {OPTION_SIZE, "mib", "M"},
        {OPTION_SIZE, "g", "G"},           {OPTION_SIZE, "gb", "G"},
        {OPTION_SIZE, "gib", "G"},         {OPTION_SIZE, "t", "T"},
        {OPTION_SIZE, "tb", "T"},          {OPTION_SIZE, "b", ""},
        {OPTION_SIZE, "bytes", ""},        {OPTION_PERCENT, "%", "%"},
        {OPTION_PERCENT, "percent", "%"},
};

static int quote(struct text *text, const char *string)
{
        int r = text_append(text, "\"");

        if (r == 0)
                r = text_append_excerpt(text, string, strlen(string));
        return r < 0 ? r : text_append(text, "\"");
}

int advice_about_unit(enum option_type type, const char *value, struct text *text)
{
        size_t digits = strspn(value, "0123456789");
        const char *unit = value + digits + strspn(value + digits, " \t");

        if (type == OPTION_LIMIT_SIZE)
                type = OPTION_SIZE;
        for (size_t i = 0; i < ELEMENTS(units) && digits > 0; i++) {
                if (units[i].type != type || strcasecmp(unit, units[i].theirs) != 0)
                        continue;
                int r = quote(text, value);
                if (r == 0)
                        r = text_append(text, unit > value + digits ? " has a blank before its unit; expected "
                                                                    : ": the unit is written otherwise; expected ");
                if (r == 0)
                        r = text_append_bytes(text, value, digits);
                if (r == 0)
                        r = text_append(text, units[i].ours);
                return r < 0 ? r : 1;
        }
        return 0;
}

static bool is_port(const char *string)
{
        uint64_t port;

        return number_parse(string, &port) == 0 && port >= 1 && port <= 65535;
}

/* `::1:80` was meant as `[::1]:80`. */
static bool lacks_brackets(const char *word, char *ret, size_t size)
{
        const char *colon = strrchr(word, ':');
        struct address address;

        if (!colon || strchr(word, '[') || strchr(word, ':') == colon)
                return false;
        snprintf(ret, size, "[%.*s]:%s", (int)MIN_OF(colon - word, (ptrdiff_t)(size / 2)), word, colon + 1);
        return address_parse(ret, &address) == 0;
}

/* An address that only lacks its port. */
static bool lacks_port(const char *word)
{
        char whole[ADDRESS_TEXT_MAX];
        struct address address;

        if (strlen(word) > sizeof(whole) / 2)
                return false;
        snprintf(whole, sizeof(whole), "%s:1", word);
        if (address_parse(whole, &address) == 0)
                return true;
        snprintf(whole, sizeof(whole), "[%s]:1", word);
        return address_parse(whole, &address) == 0;
}

/* The rest of the sentence that begins with the word; false: there is none. */
static bool explain_address(const char *word, char *ret, size_t size)
{
        static const char *const schemes[] = {
                "tcp:", "tcp4:", "tcp6:", "http:", "https:", "unix:", "udp:", "fd:", "inet:"};
        char bracketed[ADDRESS_TEXT_MAX];

        ret[0] = '\0';
        if (strchr(word, ','))
                snprintf(ret, size, " has a comma; addresses of a list are separated by blanks alone");
        else if (is_port(word))
                snprintf(ret, size, " is a port without an address; expected *:%s for every address, or 127.0.0.1:%s",
                         word, word);
        else if (word[0] == ':' && is_port(word + 1))
                snprintf(ret, size, " has no address before its port; expected *%s for every address, or 127.0.0.1%s",
                         word, word);
        else if (lacks_brackets(word, bracketed, sizeof(bracketed)))
                snprintf(ret, size, ": an IPv6 address needs brackets; expected %s", bracketed);
        else if (lacks_port(word))
                snprintf(ret, size, " has no port; expected ADDRESS:PORT in one word");
        for (size_t i = 0; i < ELEMENTS(schemes) && ret[0] == '\0'; i++)
                if (strncasecmp(word, schemes[i], strlen(schemes[i])) == 0)
                        snprintf(ret, size,
                                 ": no \"%s\" belongs before an address; expected ADDRESS:PORT or /path/of/socket",
                                 schemes[i]);
        if (ret[0] == '\0' && strchr(word, '/'))
                snprintf(ret, size, ": the path of a socket is absolute; expected /path/of/socket");
        return ret[0] != '\0';
}

int advice_about_address(const char *word, struct text *text)
{
        char sentence[3 * ADDRESS_TEXT_MAX];

        if (strlen(word) > ADDRESS_TEXT_MAX || !explain_address(word, sentence, sizeof(sentence)))
                return 0;
        int r = quote(text, word);
        if (r == 0)
                r = text_append(text, sentence);
        return r < 0 ? r : 1;
}

const char *advice_find_smart_quote(const char *value)
{
        static const char *const quotes[] = {"\u201c", "\u201d", "\u201e", "\u2018",
                                             "\u2019", "\u201a", "\u00ab", "\u00bb"};

        for (size_t i = 0; i < ELEMENTS(quotes); i++)
                if (strstr(value, quotes[i]))
                        return quotes[i];
        return NULL;
}

/* What a shell acts upon, as a word of its own: pipes, redirections, lists. */
static bool is_operator(const char *word, size_t length)
{
        static const char *const operators[] = {"|", "||", "&",  "&&",  ";",    ">",  ">>",
                                                "<", "<<", "2>", "2>>", "2>&1", "&>", "|&"};

        for (size_t i = 0; i < ELEMENTS(operators); i++)
                if (strlen(operators[i]) == length && strncmp(word, operators[i], length) == 0)
                        return true;
        return length > 2 && (word[0] == '>' || strncmp(word, "2>", 2) == 0 || (word[0] == '<' && word[1] == '/'));
}

/* The first such word that no quote and no backslash is in; NULL: there is none. */
static const char *find_operator(const char *value, size_t *ret_length)
{
        char quote = '\0';
        bool at_start = true;

        for (const char *at = value; *at != '\0'; at++) {
                /* Once a word: a value may be long. */
                size_t length = at_start && !quote ? strcspn(at, " \t\n'\"\\") : 0;
                if (length > 0 && is_operator(at, length) && !strchr("'\"\\", at[length] ? at[length] : ' ')) {
                        *ret_length = length;
                        return at;
                }
                at_start = !quote && (*at == ' ' || *at == '\t' || *at == '\n');
                if (*at == '\\' && quote != '\'' && at[1] != '\0')
                        at++;
                else if (quote ? *at == quote : *at == '\'' || *at == '"')
                        quote = quote ? '\0' : *at;
        }
        return NULL;
}

static bool is_assignment(const char *word)
{
        size_t length = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

        return length > 0 && word[length] == '=' && !isdigit((unsigned char)word[0]);
}

int advice_about_command(const char *value, const struct words *words, struct text *text)
{
        const char *program = words->list[0], *smart = advice_find_smart_quote(program);
        size_t length = 0;
        const char *found = find_operator(value, &length);
        int r = 0;

        if (smart)
                r = text_appendf(text, "%s is no quote here; expected \" or '", smart);
        else if (found)
                r = text_appendf(text,
                                 "\"%.*s\" is for a shell, and none reads this; expected /bin/sh -c '...', or quotes "
                                 "around it if the program is to get it",
                                 (int)length, found);
        else if (is_assignment(program))
                r = text_appendf(text, "\"%.*s\" is a variable and no program; expected it in environment",
                                 (int)strcspn(program, "="), program);
        else
                return 0;
        return r < 0 ? r : 1;
}
