import { useEffect, useEffectEvent } from 'react';
import { useServices } from '../app/services.ts';
import { LiveConnection } from './live-connection.ts';
import { Soon } from './soon.ts';

/** Faster than this nobody reads, and each change is a request. */
const SETTLE_MS = 400;
/** While there is no feed, as where the server has too many of them. */
const WITHOUT_FEED_MS = 15_000;
const CHANGES: ReadonlySet<string> = new Set(['watching', 'shadow', 'command', 'job', 'lagged']);

/**
 * Calls back a moment after something has happened to the shadows, commands or jobs of a device: then what is shown is fetched anew.
 *
 * A page that is not in view holds no connection, since a browser has six for all of its pages; what it missed it hears of by the
 * `watching` with which the feed begins.
 */
export function useStateFeed(kind: 'shadows' | 'commands' | 'jobs', device: string, onChange: () => void): void {
  const { client } = useServices();
  const changed = useEffectEvent(onChange);
  useEffect(() => {
    const soon = new Soon(() => changed(), SETTLE_MS);
    const connection = new LiveConnection({
      open: (_, signal) => client.openStream(`/live/${kind}`, { devices: device }, signal),
      onEvent: ({ event }) => {
        if (CHANGES.has(event)) soon.ask();
      },
      onResumed: () => {},
      onJoined: () => {},
      random: Math.random,
      nowMs: Date.now,
    });
    const followView = () => (document.hidden ? connection.stop() : connection.start());
    followView();
    document.addEventListener('visibilitychange', followView);
    const fallback = setInterval(() => {
      if (!document.hidden && connection.state().phase !== 'open') soon.ask();
    }, WITHOUT_FEED_MS);
    return () => {
      document.removeEventListener('visibilitychange', followView);
      clearInterval(fallback);
      connection.stop();
      soon.end();
    };
  }, [client, kind, device]);
}
