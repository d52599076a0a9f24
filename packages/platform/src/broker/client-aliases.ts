import { MqttError, protocolError } from '@selsyn/wire/mqtt/mqtt-error.ts';
import type { Topic } from '@selsyn/wire/mqtt/topic-cache.ts';
import { ReasonCode } from '@selsyn/wire/mqtt/reason-codes.ts';

/** The topic aliases that a client has set for what it publishes on one connection (5.0, section 3.3.2.3.4). */
export class ClientAliases {
  readonly #maximum: number;
  #topics: (Topic | undefined)[] | undefined;

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /**
   * The topic of a PUBLISH with an alias. One that has both sets the alias.
   * @throws MqttError for an alias over the maximum, or one that stands for nothing
   */
  resolve(alias: number, topic: Topic): Topic {
    if (alias > this.#maximum) {
      throw new MqttError(ReasonCode.topicAliasInvalid, '[MQTT-3.3.2-9]', 'the topic alias is over the maximum');
    }
    this.#topics ??= [];
    if (topic.name !== '') {
      this.#topics[alias] = topic;
      return topic;
    }
    const found = this.#topics[alias];
    if (found === undefined) throw protocolError('(3.3.2.3.4)', 'the topic alias stands for no topic');
    return found;
  }

  /** What an alias stands for; undefined: nothing. */
  nameOf(alias: number): string | undefined {
    return this.#topics?.[alias]?.name;
  }
}
