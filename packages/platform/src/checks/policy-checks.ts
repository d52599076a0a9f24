import type { Database } from '../database/schema.ts';
import { readPolicyDocument } from '../identity/policies/policy-store.ts';
import { TopicPattern } from '../identity/policies/topic-pattern.ts';
import type { Find } from './check.ts';

/** Topics of a device that none of the variables stands for. */
const OF_ANOTHER = [
  'telemetry/another-device',
  'devices/another-device/anything',
  '$aws/things/another-device/shadow/update',
  '$aws/commands/things/another-device/executions/1/request/json',
];
const OWN_VALUE = 'its-own';

/**
 * Looks at every policy that is attached to something: one that allows topics of devices that it is not about is found. What such a policy
 * denies is not weighed against it: it is for people to look at.
 * @returns how many policies there are
 */
export async function checkPolicies(database: Database, find: Find): Promise<number> {
  const rows = await database
    .selectFrom('policy')
    .innerJoin('policy_attachment', 'policy_attachment.policy_name', 'policy.name')
    .select(['policy.name', 'policy.document'])
    .distinct()
    .execute();
  for (const { name, document } of rows) {
    for (const [index, { effect, actions, topics = [] }] of readPolicyDocument(name, document).statements.entries()) {
      if (effect !== 'allow') continue;
      const wide = topics.find((pattern) => reachesOthers(pattern));
      if (wide === undefined) continue;
      const reason = `statement ${index + 1} allows to ${actions.join(', ')} on ${wide}, which are topics of other devices too`;
      find({ check: 'policy-overly-permissive', object: { kind: 'policy', id: name }, group: '/', reason });
    }
  }
  return rows.length;
}

function reachesOthers(text: string): boolean {
  const pattern = new TopicPattern(text, () => 0);
  return OF_ANOTHER.some((topic) => pattern.matches(topic, [OWN_VALUE], 'nothing'));
}
