import { isValidTopicFilter } from '@selsyn/wire/topics/topic-filter.ts';
import { SelsynError } from '../kernel/errors.ts';
import { isForbiddenAddress } from '../kernel/hook-addresses.ts';
import { hookUrlFault } from '../kernel/web-hooks.ts';
import { TYPE_NAME_PATTERN } from '../registry/device.ts';
import { parseFilter } from '../registry/filter/parse-filter.ts';
import { parseGroupPath } from '../registry/group-path.ts';
import type { Forwarder, ForwarderFilter } from './forwarder.ts';
import { TARGET_SECRETS, type TargetSecrets, type TargetSettings } from './target-settings.ts';

export const FORWARDER_ID_PATTERN = /^[A-Za-z0-9_.-]{1,64}$/;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** What is set by who sends. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'transfer-encoding',
  'x-selsyn-signature',
]);

/** @throws SelsynError `request.invalid` that says which field is wrong */
export function checkForwarder(
  { id, target, filter, format }: Pick<Forwarder, 'id' | 'target' | 'filter' | 'format'>,
  secrets: TargetSecrets,
): void {
  if (!FORWARDER_ID_PATTERN.test(id)) throw invalid('id', 'the id of a forwarder is 1 to 64 of A-Z a-z 0-9 _ . -');
  checkTarget(target);
  const allowed: readonly string[] = TARGET_SECRETS[target.kind];
  for (const name of Object.keys(secrets))
    if (!allowed.includes(name))
      throw invalid(`secrets.${name}`, `a ${target.kind} target has the secrets ${allowed.join(', ')}`);
  if (target.kind === 'influxdb' && format !== 'samples')
    throw invalid('format', 'InfluxDB takes samples: the format must be `samples`');
  if (filter.metrics !== undefined && filter.metrics.length > 0 && format !== 'samples')
    throw invalid('filter.metrics', 'only with the format `samples` it is known which metrics a record has');
  checkFilter(filter);
}

function checkFilter({ topics = [], types = [], group, filter }: ForwarderFilter): void {
  for (const topic of topics)
    if (topic.startsWith('$share/') || !isValidTopicFilter(topic)) throw invalid('filter.topics', `${topic} is no topic filter`);
  for (const type of types)
    if (!TYPE_NAME_PATTERN.test(type)) throw invalid('filter.types', `${type} is not the name of a device type`);
  if (group !== undefined) parseGroupPath(group);
  if (filter !== undefined) parseFilter(filter);
}

function checkTarget(target: TargetSettings): void {
  switch (target.kind) {
    case 'webhook': {
      checkUrl(target.url, /^https?:$/, 'https://… or http://…');
      for (const [name, value] of Object.entries(target.headers ?? {})) {
        if (!HEADER_NAME.test(name) || OWN_HEADERS.has(name.toLowerCase()))
          throw invalid('target.headers', `the header ${name} cannot be set here`);
        if (/[^\t\x20-\x7e]/.test(value)) throw invalid('target.headers', `the value of ${name} is not one of a header`);
      }
      return;
    }
    case 'kafka':
      for (const broker of target.brokers) {
        if (!/^(\[[0-9a-fA-F:.]+\]|[^:/\s]+):\d{1,5}$/.test(broker))
          throw invalid('target.brokers', `${broker} is not host:port`);
        if (isForbiddenAddress(broker.replace(/:\d+$/, '')))
          throw invalid('target.brokers', 'no forwarder may send to this address');
      }
      if (!/^[A-Za-z0-9._-]{1,249}$/.test(target.topic)) throw invalid('target.topic', 'it is not the name of a topic of Kafka');
      return;
    case 'mqtt':
      checkUrl(target.url, /^mqtts?:$/, 'mqtt://… or mqtts://…');
      checkTopicTemplate(target.topic ?? '${topic}');
      return;
    case 'influxdb':
      checkUrl(target.url, /^https?:$/, 'https://… or http://…');
      if ((target.bucket === undefined) === (target.database === undefined))
        throw invalid('target', 'either `database` (version 1) or `org` and `bucket` (version 2) must be given');
      if (target.bucket !== undefined && target.org === undefined)
        throw invalid('target.org', 'a bucket is one of an organisation');
  }
}

function checkTopicTemplate(template: string): void {
  const rest = template.replaceAll('${topic}', 't').replaceAll('${device}', 'd');
  if (rest === '' || rest.startsWith('$') || /[+#\0]|\$\{/.test(rest))
    throw invalid('target.topic', 'it must be a topic, in which ${topic} and ${device} stand for those of the record');
}

function checkUrl(url: string, protocol: RegExp, expected: string): void {
  const parsed = URL.parse(url);
  if (parsed === null || !protocol.test(parsed.protocol) || parsed.hostname === '')
    throw invalid('target.url', `it must be ${expected}`);
  const fault = hookUrlFault(url.replace(/^mqtt/, 'http'));
  if (fault !== undefined) throw invalid('target.url', fault.replace('no hook may be at', 'no forwarder may send to'));
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `${field}: ${message}`, { details: { field } });
}
