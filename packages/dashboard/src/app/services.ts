import { QueryClient } from '@tanstack/react-query';
import { createContext, useContext } from 'react';
import { ApiClient } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import { statsFrom } from '../api/stats.ts';
import { frameSchedule } from '../live/frame-schedule.ts';
import { LiveConnection } from '../live/live-connection.ts';
import { updatesFrom } from '../live/live-updates.ts';
import { LiveValues } from '../live/live-values.ts';
import type { SseEvent } from '../live/sse-parser.ts';
import { StatsHistory } from '../live/stats-history.ts';
import { Ticker } from '../live/ticker.ts';
import { Session } from '../session/session.ts';

/** What pages need, made once. */
export interface Services {
  readonly session: Session;
  readonly client: ApiClient;
  readonly queries: QueryClient;
  readonly values: LiveValues;
  readonly stats: StatsHistory;
  readonly connection: LiveConnection;
  readonly ticker: Ticker;
}

export const ServicesContext = createContext<Services | undefined>(undefined);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (services === undefined) throw new Error('no services in this tree');
  return services;
}

export function createServices(): Services {
  const session = new Session();
  const client = new ApiClient({ key: () => session.key(), onUnauthenticated: () => session.refused() });
  const queries = new QueryClient({
    defaultOptions: { queries: { staleTime: 5_000, refetchOnWindowFocus: true, retry: retryable, retryDelay: 800 } },
  });
  const values = new LiveValues(frameSchedule());
  const stats = new StatsHistory();
  const ticker = new Ticker(() => Date.now() + stats.skewMs);
  const refetch = () => void queries.invalidateQueries();
  const connection = new LiveConnection({
    open: (devices, signal) => client.openStream('/live', { devices: devices.join(',') }, signal),
    onEvent: (event) => onLiveEvent(event),
    onResumed: refetch,
    onJoined: () => {
      void queries.invalidateQueries({ queryKey: ['latest'] });
      void queries.invalidateQueries({ queryKey: ['devices', 'list'] });
    },
    random: Math.random,
    nowMs: Date.now,
  });

  function onLiveEvent({ event, data }: SseEvent): void {
    if (event === 'values') values.apply(updatesFrom(data));
    else if (event === 'lagged') refetch();
    else if (event === 'stats') {
      const next = statsFrom(JSON.parse(data));
      const known = stats.latest();
      stats.add(next, Date.now());
      if (known !== undefined && known.devices !== next.devices) {
        // Not what was counted on request: a million devices come in at thousands a second.
        for (const part of ['list', 'group-count']) void queries.invalidateQueries({ queryKey: ['devices', part] });
      }
      if (known !== undefined && known.deadLetters !== next.deadLetters) {
        void queries.invalidateQueries({ queryKey: ['dead-letters'] });
      }
    }
  }

  session.subscribe(() => {
    connection.stop();
    stats.clear();
    queries.clear();
    if (session.state().kind === 'signed-in') connection.start();
  });
  return { session, client, queries, values, stats, connection, ticker };
}

/** Only what may be different the next time: not a refusal. */
function retryable(failures: number, error: unknown): boolean {
  return failures < 2 && error instanceof Problem && (error.status === 0 || error.status >= 500);
}
