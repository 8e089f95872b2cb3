#include "base/address_scan.h"

static void copy(void *to, const unsigned char *from, size_t size)
{
        __builtin_memcpy(to, from, size);
}

bool address_scan_number(struct span *span, unsigned most, unsigned *ret)
{
        const unsigned char *first = span->at;
        unsigned value = 0;

        while (span_left(span) > 0 && *span->at >= '0' && *span->at <= '9' && span->at - first < 5)
                value = value * 10 + (unsigned)(*span->at++ - '0');
        *ret = value;
        return span->at > first && value <= most && (*first != '0' || span->at - first == 1);
}

bool address_scan_byte(struct span *span, char byte)
{
        if (span_left(span) == 0 || *span->at != (unsigned char)byte)
                return false;
        span->at++;
        return true;
}

bool address_scan_ipv4(struct span *span, unsigned char *ret)
{
        for (unsigned i = 0; i < 4; i++) {
                unsigned value;
                if ((i > 0 && !address_scan_byte(span, '.')) || !address_scan_number(span, UINT8_MAX, &value))
                        return false;
                ret[i] = (unsigned char)value;
        }
        return true;
}

static int digit_of(unsigned char byte)
{
        if (byte >= '0' && byte <= '9')
                return byte - '0';
        byte |= 0x20;
        return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Up to four digits of hex. */
static bool take_group(struct span *span, unsigned char *ret)
{
        unsigned value = 0, count = 0;

        while (span_left(span) > 0 && count < 4 && digit_of(*span->at) >= 0) {
                value = value << 4 | (unsigned)digit_of(*span->at++);
                count++;
        }
        ret[0] = (unsigned char)(value >> 8);
        ret[1] = (unsigned char)value;
        return count > 0;
}

/* The groups of an address on one side of `::`, or all; the last may be an IPv4 address. Returns how many bytes. */
static size_t take_groups(struct span *span, unsigned char *bytes, size_t room, bool *ret_good)
{
        size_t length = 0;

        *ret_good = false;
        for (;;) {
                struct span as_ipv4 = *span;
                if (length + 4 <= room && address_scan_ipv4(&as_ipv4, bytes + length)) {
                        *span = as_ipv4;
                        *ret_good = span_left(span) == 0 || *span->at != ':';
                        return length + 4;
                }
                if (length + 2 > room || !take_group(span, bytes + length))
                        return length;
                length += 2;
                bool has_more = span_left(span) > 1 && span->at[0] == ':' && span->at[1] != ':';
                if (!has_more) {
                        *ret_good = true;
                        return length;
                }
                span->at++;
        }
}

static bool is_gap(const struct span *span)
{
        return span_left(span) >= 2 && span->at[0] == ':' && span->at[1] == ':';
}

bool address_scan_ipv6(struct span *span, unsigned char *ret)
{
        unsigned char head[16] = {0}, tail[16] = {0};
        size_t head_length = 0, tail_length = 0;
        bool is_good = true;

        if (!is_gap(span))
                head_length = take_groups(span, head, sizeof(head), &is_good);
        if (!is_good)
                return false;
        bool has_gap = is_gap(span);
        if (has_gap) {
                span->at += 2;
                if (span_left(span) > 0 && *span->at != ' ')
                        tail_length = take_groups(span, tail, sizeof(tail), &is_good);
        }
        if (!is_good || (has_gap ? head_length + tail_length > 14 : head_length != 16))
                return false;
        __builtin_memset(ret, 0, 16);
        copy(ret, head, head_length);
        copy(ret + 16 - tail_length, tail, tail_length);
        return true;
}
