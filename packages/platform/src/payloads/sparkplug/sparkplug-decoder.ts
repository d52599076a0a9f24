import { PayloadError } from '@selsyn/wire/payload/payload-error.ts';
import { PAYLOAD_LIMITS, type PayloadLimits } from '@selsyn/wire/payload/payload-limits.ts';
import { quoted } from '@selsyn/wire/payload/sample-checks.ts';
import { parseSparkplugTopic, type SparkplugTopic } from '@selsyn/wire/topics/sparkplug-topics.ts';
import type { PayloadDecoder, PayloadMessage, PayloadVisitor } from '../payload-decoder.ts';
import { SampleSheet } from '../sample-sheet.ts';
import type { TypeFacts } from '../type-facts.ts';
import type { Births } from './births.ts';
import { type Certificate, type Definition, Definitions, newDefinition, type Place } from './certificate.ts';
import type { RebirthReason, RebirthRequests } from './rebirth-requests.ts';
import { NodeCounts } from './sequence.ts';
import {
  MAX_MESSAGE_METRICS,
  numberOf,
  readSparkplug,
  type SparkplugMetric,
  type SparkplugPayload,
} from './sparkplug-payload.ts';
import { type SkipReason, valueOf } from './sparkplug-values.ts';

/** A birth has all metrics of a device, mostly at one time. */
const LIMITS: PayloadLimits = { ...PAYLOAD_LIMITS, maxMetrics: MAX_MESSAGE_METRICS };
/** Commands that a node takes, shown with their last value: no telemetry. */
const CONTROLS = ['Node Control/', 'Device Control/'];
const BD_SEQ = 'bdSeq';
const MAX_TOPICS = 50_000;
const MAX_COUNTED = 100_000;

/** What follows from a message once it counts. */
interface Effect {
  readonly topic: SparkplugTopic;
  readonly seq: number | undefined;
  readonly place: Place;
  readonly certificate?: Certificate;
  readonly definitions?: Definitions;
  readonly rebirth?: RebirthReason;
}

export interface SparkplugOptions {
  readonly births: Births;
  readonly rebirths: Pick<RebirthRequests, 'ask'>;
  /** A node or device was born that was not known before, in this run. */
  readonly onBorn?: (id: string, nodeId: string) => void;
}

/**
 * Reads what edge nodes send (Sparkplug 3.0.0, chapters 5 and 6): values by the names, types and units that their births give.
 *
 * Data is read only under the birth that it was sent under. Without one, or with an alias that the birth does not have, it is refused, and
 * the node is asked to be born again; where a message is missing by its number the node is asked too, and what comes is read on.
 */
export class Sparkplug {
  readonly #options: SparkplugOptions;
  readonly #topics = new Map<string, SparkplugTopic | undefined>();
  readonly #decoders = new WeakMap<TypeFacts, SparkplugDecoder>();
  readonly #counts = new Map<string, NodeCounts>();
  /** Values that are no points, by why. */
  readonly skipped = new Map<SkipReason, number>();
  /** Of all nodes. */
  readonly totals = { messages: 0, refused: 0, gaps: 0 };
  /** Deaths of an earlier connection, which end nothing. */
  staleDeaths = 0;

  constructor(options: SparkplugOptions) {
    this.#options = options;
  }

  get births(): Births {
    return this.#options.births;
  }

  /** For devices of a type. */
  decoderFor(facts: TypeFacts): PayloadDecoder {
    let decoder = this.#decoders.get(facts);
    if (decoder === undefined) this.#decoders.set(facts, (decoder = new SparkplugDecoder(this, facts)));
    return decoder;
  }

  countsOf(nodeId: string): NodeCounts {
    let counts = this.#counts.get(nodeId);
    if (counts !== undefined) return counts;
    counts = new NodeCounts();
    // Anybody may make up nodes that are never born: those beyond the bound are not counted one by one.
    if (this.#counts.size < MAX_COUNTED || this.births.isNode(nodeId)) this.#counts.set(nodeId, counts);
    return counts;
  }

  topicOf(topic: string): SparkplugTopic {
    let parsed = this.#topics.get(topic);
    if (parsed === undefined) {
      parsed = parseSparkplugTopic(topic);
      if (parsed === undefined)
        throw new PayloadError('malformed', 'The topic is none that an edge node of Sparkplug publishes to.');
      if (this.#topics.size >= MAX_TOPICS) this.#topics.clear();
      this.#topics.set(topic, parsed);
    }
    return parsed;
  }

  skip(reason: SkipReason): void {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1);
  }

  /** A message counts. */
  apply({ topic, seq, place, certificate, definitions, rebirth }: Effect): void {
    const { births, onBorn } = this.#options;
    const { id, nodeId, message } = topic;
    const counts = this.countsOf(nodeId);
    counts.messages++;
    this.totals.messages++;
    counts.lastMs = place.arrivalMs;
    // A message that was overtaken by a birth on another connection belongs to another count.
    const newest = births.find(nodeId)?.certificates.at(-1);
    const isLate = newest !== undefined && births.before(nodeId, place) !== newest;
    let inOrder = true;
    if (message === 'NBIRTH') counts.seq = seq;
    else if (message !== 'NDEATH' && seq !== undefined && !isLate) inOrder = counts.next(seq);
    if (!inOrder) this.totals.gaps++;
    if (certificate !== undefined) {
      const isNew = births.find(id) === undefined;
      births.add(id, certificate);
      if (definitions !== undefined) births.keepDefinitions(certificate, definitions);
      if (isNew && certificate.isBirth) onBorn?.(id, nodeId);
    } else if (message === 'NDEATH') this.staleDeaths++;
    if (rebirth !== undefined) this.ask(topic, rebirth, place);
    else if (!inOrder) this.ask(topic, 'sequence', place);
  }

  ask({ nodeId, group, node }: SparkplugTopic, reason: RebirthReason, { arrivalMs }: Place): void {
    const { births, rebirths } = this.#options;
    // What is read again was asked for the first time.
    if (!births.isCaughtUp) return;
    this.countsOf(nodeId).rebirths++;
    rebirths.ask(nodeId, { group, node, reason }, arrivalMs);
  }
}

/** Of one message: its metrics, and what it says besides. */
class SparkplugDecoder implements PayloadDecoder {
  readonly #sparkplug: Sparkplug;
  readonly #sheet: SampleSheet;
  #effect: Effect | undefined;

  constructor(sparkplug: Sparkplug, { metrics }: TypeFacts) {
    this.#sparkplug = sparkplug;
    this.#sheet = new SampleSheet(metrics, LIMITS);
  }

  decode(message: PayloadMessage, visitor: PayloadVisitor): void {
    const { data, start, end, partition, offset, arrivalMs } = message;
    const topic = this.#sparkplug.topicOf(message.topic);
    const place: Place = { partition, offset, arrivalMs };
    const payload = readSparkplug(data, start, end);
    try {
      this.#effect = this.#read(topic, payload, place, data.subarray(start, end));
      this.#sheet.finish(visitor);
    } catch (error) {
      // It is consumed all the same, and its number with it.
      const rebirth = error instanceof Unborn ? error.reason : undefined;
      this.#sparkplug.apply({ topic, seq: payload.seq, place, ...(rebirth !== undefined && { rebirth }) });
      this.#sparkplug.countsOf(topic.nodeId).refused++;
      this.#sparkplug.totals.refused++;
      throw error;
    }
  }

  taken(): void {
    if (this.#effect !== undefined) this.#sparkplug.apply(this.#effect);
    this.#effect = undefined;
  }

  #read(topic: SparkplugTopic, payload: SparkplugPayload, place: Place, bytes: Uint8Array): Effect {
    this.#sheet.begin(place.arrivalMs);
    switch (topic.message) {
      case 'NBIRTH':
      case 'DBIRTH':
        return this.#readBirth(topic, payload, place, bytes);
      case 'NDATA':
      case 'DDATA':
        return this.#readData(topic, payload, place);
      case 'NDEATH':
      case 'DDEATH':
        return this.#readDeath(topic, payload, place);
    }
  }

  #readBirth(topic: SparkplugTopic, payload: SparkplugPayload, place: Place, bytes: Uint8Array): Effect {
    const { births } = this.#sparkplug;
    const { id, nodeId, message } = topic;
    if (!births.hasRoomFor(id))
      throw new PayloadError('too-large', 'There are as many nodes and devices of Sparkplug as there can be.');
    // 6.4.21 [tck-id-payloads-dbirth-order]: after the birth of its node.
    if (message === 'DBIRTH' && births.before(nodeId, place)?.isBirth !== true) throw new Unborn('no-birth', NO_NODE);
    const definitions = Definitions.of(payload.metrics);
    // Each metric has a name, and is in it.
    if (typeof definitions === 'string')
      throw new PayloadError('malformed', `A birth that cannot be understood: ${definitions}.`);
    this.#fill(payload, (metric) => definitions.byName(metric.name!)!);
    const certificate: Certificate = {
      place,
      isBirth: true,
      bdSeq: message === 'NBIRTH' ? bdSeqOf(payload) : undefined,
      payload: Uint8Array.from(bytes),
      number: undefined,
      definitions: undefined,
    };
    return { topic, seq: payload.seq, place, certificate, definitions };
  }

  #readData(topic: SparkplugTopic, payload: SparkplugPayload, place: Place): Effect {
    const { births } = this.#sparkplug;
    const birth = births.birthFor(topic.id, topic.nodeId, place);
    if (birth === undefined) throw new Unborn('no-birth', topic.device === undefined ? NO_NODE : NO_DEVICE);
    const definitions = definitionsOf(births, birth);
    this.#fill(payload, (metric) => definitionOf(definitions, metric));
    return { topic, seq: payload.seq, place };
  }

  #readDeath(topic: SparkplugTopic, payload: SparkplugPayload, place: Place): Effect {
    const { births } = this.#sparkplug;
    const { id, nodeId, message } = topic;
    const bdSeq = message === 'NDEATH' ? bdSeqOf(payload) : undefined;
    const birth = births.before(id, place);
    // A will of a connection that its node has left behind: the node lives (6.4.22 [tck-id-payloads-ndeath-bdseq]).
    const isStale = message === 'NDEATH' && birth?.isBirth === true && birth.bdSeq !== undefined && bdSeq !== birth.bdSeq;
    if (isStale || birth?.isBirth !== true || births.find(nodeId) === undefined) return { topic, seq: payload.seq, place };
    const certificate: Certificate = {
      place,
      isBirth: false,
      bdSeq,
      payload: undefined,
      number: undefined,
      definitions: undefined,
    };
    return { topic, seq: payload.seq, place, certificate };
  }

  /** Puts down the values, those of one time as one sample. */
  #fill({ metrics, timestampMs: messageMs }: SparkplugPayload, definitionFor: (metric: SparkplugMetric) => Definition): void {
    const byTime = new Map<number | undefined, [Definition, SparkplugMetric][]>();
    for (const metric of metrics) {
      const definition = definitionFor(metric);
      if (definition.name === BD_SEQ || CONTROLS.some((control) => definition.name.startsWith(control))) continue;
      const timeMs = metric.timestampMs ?? messageMs;
      const known = byTime.get(timeMs);
      if (known === undefined) byTime.set(timeMs, [[definition, metric]]);
      else known.push([definition, metric]);
    }
    for (const [timeMs, values] of byTime) {
      this.#sheet.sample(timeMs);
      for (const [{ name, type, unit, isStorable }, metric] of values) {
        const found = isStorable ? valueOf(metric, type) : ({ skipped: 'bad-name' } as const);
        if ('skipped' in found) this.#sparkplug.skip(found.skipped);
        else this.#sheet.value(name, found.value, metric.unit ?? unit);
      }
    }
  }
}

const NO_NODE = 'No birth of this edge node is known, so that nobody knows what its metrics are: it is asked for one.';
const NO_DEVICE = 'No birth of this device is known since its edge node was born: the node is asked for one.';

/** What would be known by a birth is not. */
class Unborn extends PayloadError {
  readonly reason: RebirthReason;

  constructor(reason: RebirthReason, message: string) {
    super('malformed', message);
    this.reason = reason;
  }
}

/** A birth that its file does not give any more would be missed until the node connects anew: it is asked for another. */
function definitionsOf(births: Births, birth: Certificate): Definitions {
  try {
    return births.definitionsOf(birth);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Unborn('no-birth', `The birth that is kept cannot be read, and the edge node is asked for another: ${reason}`);
  }
}

function definitionOf(definitions: Definitions, metric: SparkplugMetric): Definition {
  const { alias, name, datatype } = metric;
  // 6.4.6: where there is an alias it names the metric, whatever else is said.
  const found = alias === undefined ? undefined : definitions.byAlias(alias);
  if (found !== undefined) return found;
  if (name === undefined) {
    throw alias === undefined
      ? new PayloadError('malformed', 'A metric has neither a name nor an alias.')
      : new Unborn('unknown-alias', `The birth has no metric with the alias ${alias}: the edge node is asked for another.`);
  }
  const known = definitions.byName(name);
  if (known !== undefined) return known;
  if (datatype === 0) {
    throw new Unborn('unknown-metric', `The birth has no metric ${quoted(name)}: the edge node is asked for another.`);
  }
  return newDefinition(metric, name);
}

function bdSeqOf({ metrics }: SparkplugPayload): number | undefined {
  const metric = metrics.find(({ name }) => name === BD_SEQ);
  return metric === undefined ? undefined : numberOf(metric, false);
}
