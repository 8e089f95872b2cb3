/* What the running configuration says of all pools together. */
#pragma once

struct daemon;

/* Pass it to the pools; the configuration was read, or has changed. */
void pool_settings_apply(struct daemon *daemon);
