/* The drain policy: a closing listener is closed when every connection in its queue has been accepted. After the last
 * one, the workers that serve closing listeners only are retired. Pure. One of the policies of a pool's turn. */
#pragma once

struct turn;

void drain_decide(struct turn *turn);
