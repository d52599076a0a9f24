import { isValidTopicFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { SelsynError } from '../kernel/errors.ts';

/** What one trace wants to see: all packets of a client, the messages of a topic filter, or those of this client on it. */
export interface TraceFilter {
  readonly clientId: string | undefined;
  /** A valid filter without `$share`. */
  readonly topicFilter: string | undefined;
  /** Whether the first bytes of payloads are shown. */
  readonly payload: boolean;
}

/** @throws SelsynError `request.invalid` for what is no topic filter, or a shared one: a message has no group. */
export function checkTraceFilter({ topicFilter }: TraceFilter): void {
  if (topicFilter === undefined || (isValidTopicFilter(topicFilter) && !topicFilter.startsWith('$share/'))) return;
  throw new SelsynError('request.invalid', `"${topicFilter}" is no topic filter, as telemetry/+ or devices/#`);
}
