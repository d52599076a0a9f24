/**
 * Whether only the server itself publishes to this topic: `$SYS/…`, its state, `$aws/events/…`, what clients do, and `$selsyn/…`, what it
 * has to tell. A message there is believed because no client can have sent it.
 */
export function isReservedTopic(topic: string): boolean {
  return topic.charCodeAt(0) === DOLLAR && (RESERVED.some((tree) => topic.startsWith(tree)) || topic === '$SYS');
}

const RESERVED = ['$SYS/', '$aws/events/', '$selsyn/'] as const;
const DOLLAR = 0x24;
