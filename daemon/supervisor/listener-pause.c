#include "daemon/supervisor/listener-news.h"
#include "daemon/supervisor/listener-pause.h"
#include "daemon/supervisor/listener-state.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/requests.h"

void listener_pause(struct listener *listener)
{
	if (!listener->is_paused) {
		listener->is_paused = true;
		listener->turn++;
		listener_update(listener);
		listener_say_state(listener);
	}
	listener->has_confirmed = false;
	listener_news_pause(listener);
}

void listener_resume(struct listener *listener)
{
	if (!listener->is_paused)
		return;
	listener->is_paused = false;
	listener_update(listener);
	listener_say_state(listener);
	listener_news_pause(listener);
	requests_check(listener->supervisor);
}
