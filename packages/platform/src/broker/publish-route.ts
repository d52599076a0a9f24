import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';
import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import type { Principal } from './authorizer.ts';
import type { BrokerCore } from './broker-core.ts';
import type { Claim } from './intake.ts';
import { isReservedTopic } from './reserved-topics.ts';
import type { Matches } from './subscriptions.ts';
import { levelsOf } from './topic-levels.ts';

/** What is known of one topic that a connection publishes to, so that its next message costs no question. */
export interface Route {
  readonly topic: Topic;
  /** The reason code with which it is refused; 0: it is not. */
  readonly refusal: number;
  readonly claim: Claim | undefined;
  /** The platform answers it; nobody else gets it. */
  readonly isRequest: boolean;
  /** Who subscribes, as of `version` of the subscriptions. */
  matches: Matches;
  version: number;
}

export function openRoute({ limits, intake, requests }: BrokerCore, principal: Principal, topic: Topic): Route {
  let refusal = 0;
  if (levelsOf(topic.name) > limits.maxTopicLevels) refusal = ReasonCode.topicNameInvalid;
  else if (isReservedTopic(topic.name) || !principal.mayPublish(topic.name)) refusal = ReasonCode.notAuthorized;
  const isRequest = refusal === 0 && requests !== undefined && requests.handles(topic.name);
  const claim = refusal === 0 && !isRequest ? intake?.claim(principal, topic.name) : undefined;
  return { topic, refusal, claim, isRequest, matches: NO_MATCHES, version: -1 };
}

const NO_MATCHES: Matches = { list: [], plain: true };
