/**
 * Whether only the server itself publishes to this topic: `$SYS/…`, its state, `$aws/events/…`, what clients do, `$selsyn/…`, what it
 * has to tell, and what it answers and tells of shadows, jobs and commands on AWS's topics (AWS IoT Core developer guide, "Reserved
 * topics": clients may subscribe there, and no more). A message there is believed because no client can have sent it.
 */
export function isReservedTopic(topic: string): boolean {
  if (topic.charCodeAt(0) !== DOLLAR) return false;
  return RESERVED.some((tree) => topic.startsWith(tree)) || topic === '$SYS' || TOLD.some((told) => told.test(topic));
}

const RESERVED = ['$SYS/', '$aws/events/', '$selsyn/'] as const;
const TOLD = [
  /^\$aws\/things\/[^/]*\/shadow\/(?:name\/[^/]*\/)?(?:get|update|delete)\/(?:accepted|rejected|delta|documents)$/,
  /^\$aws\/things\/[^/]*\/jobs\/(?:notify|notify-next|(?:.*\/)?(?:accepted|rejected))$/,
  /^\$aws\/commands\/things\/[^/]*\/executions\/[^/]*\/(?:request|response\/(?:accepted|rejected))\/[^/]*$/,
] as const;
const DOLLAR = 0x24;
