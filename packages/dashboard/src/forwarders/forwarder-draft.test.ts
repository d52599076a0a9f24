import { expect, it } from 'vitest';
import type { Forwarder } from '../api/forwarders.ts';
import { EMPTY_FORWARDER, formOf, forwarderDraft, type ForwarderForm, forwarderPatch } from './forwarder-draft.ts';

const form = { ...EMPTY_FORWARDER, id: 'copy' };

it('sends of each kind of target what it has, and nothing that was left empty', () => {
  expect(
    forwarderDraft({ ...form, fields: { url: ' https://a/b ' }, secrets: { signingKey: 'k', token: 'left from another' } }),
  ).toEqual({
    draft: { id: 'copy', target: { kind: 'webhook', url: 'https://a/b' }, format: 'raw', secrets: { signingKey: 'k' } },
  });
  expect(
    forwarderDraft({
      ...form,
      kind: 'kafka',
      fields: { brokers: 'a:1, b:2', topic: 't', 'sasl.username': 'u', secure: 'true', 'tls.ca': 'PEM', compression: 'none' },
      filter: { types: 'x,y', metrics: 'only with samples' },
      batch: { maxRecords: '50' },
      fromBeginning: true,
    }),
  ).toEqual({
    draft: {
      id: 'copy',
      target: {
        kind: 'kafka',
        brokers: ['a:1', 'b:2'],
        topic: 't',
        secure: true,
        sasl: { mechanism: 'SCRAM-SHA-256', username: 'u' },
        tls: { ca: 'PEM\n' },
      },
      format: 'raw',
      filter: { types: ['x', 'y'] },
      batch: { maxRecords: 50 },
      startAt: 'beginning',
    },
  });
});

it('InfluxDB takes samples, of a bucket or of a database', () => {
  const influx = { ...form, kind: 'influxdb' as const, filter: { metrics: 'temp*' }, format: 'raw' as const };
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i', database: 'd' } })).toMatchObject({
    draft: { format: 'samples', filter: { metrics: ['temp*'] } },
  });
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i' } })).toHaveProperty('faults.bucket');
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i', bucket: 'b' } })).toHaveProperty('faults.org');
});

it('says what is missing or cannot be', () => {
  expect(forwarderDraft({ ...EMPTY_FORWARDER, id: 'a b', fields: { headers: 'no colon' }, batch: { lingerMs: 'soon' } })).toEqual(
    {
      faults: { id: expect.any(String), url: expect.any(String), headers: expect.any(String), lingerMs: expect.any(String) },
    },
  );
});

const batch = { maxRecords: 1_000, maxBytes: 1_048_576, lingerMs: 100 };
const webhook = forwarderOf({ kind: 'webhook', url: 'https://a/b', headers: { 'X-Site': 'berlin: 7' } }, [
  'authorization',
  'signingKey',
]);
const others = [
  webhook,
  forwarderOf({
    kind: 'kafka',
    brokers: ['a:1', 'b:2'],
    topic: 't',
    compression: 'zstd',
    secure: true,
    tls: { ca: 'A\n', certificate: 'C\n' },
    sasl: { mechanism: 'PLAIN', username: 'u' },
  }),
  forwarderOf({ kind: 'mqtt', url: 'mqtts://m', topic: 'x/${topic}', clientId: 'c', username: 'u', version: 4 }),
  forwarderOf({ kind: 'influxdb', url: 'http://i', org: 'o', bucket: 'b', measurement: 'm', retentionPolicy: 'r', more: 1 }),
];

function forwarderOf(target: Forwarder['target'], secretNames: readonly string[] = []): Forwarder {
  return {
    id: 'copy',
    description: 'what for',
    target,
    format: 'samples',
    filter: { topics: ['a/#', 'b'], idPrefix: 'p', group: '/g', types: ['x'], filter: 'tags has "n"', metrics: ['t*'] },
    batch,
    paused: false,
    secretNames,
    createdAtMs: 0,
    state: undefined,
  };
}

it.each(others)('of a forwarder that is opened and left as it was nothing is changed: $target.kind', (before) => {
  expect(forwarderPatch(formOf(before), before)).toEqual({ patch: {} });
  expect(JSON.stringify(formOf(before))).not.toContain('signingKey');
});

it('sends what was changed, part by part, and keeps what has no field', () => {
  const patched = (before: Forwarder, next: Partial<ForwarderForm>) => forwarderPatch({ ...formOf(before), ...next }, before);
  const [, kafka, mqtt, influx] = others as [Forwarder, Forwarder, Forwarder, Forwarder];
  expect(patched(webhook, { description: '', batch: { maxRecords: '5', maxBytes: '' } })).toEqual({
    patch: { description: '', batch: { ...batch, maxRecords: 5 } },
  });
  expect(patched(webhook, { filter: { idPrefix: 'q' }, format: 'raw' })).toEqual({
    patch: { filter: { idPrefix: 'q' }, format: 'raw' },
  });
  const withoutUser = { ...formOf(kafka).fields, 'sasl.username': '', 'tls.ca': '', 'tls.certificate': '', secure: '' };
  expect(patched(kafka, { fields: withoutUser })).toEqual({
    patch: { target: { kind: 'kafka', brokers: ['a:1', 'b:2'], topic: 't', compression: 'zstd' } },
  });
  expect(patched(mqtt, { fields: { ...formOf(mqtt).fields, version: '5' } })).toMatchObject({
    patch: { target: expect.not.objectContaining({ version: expect.anything() }) },
  });
  expect(patched(influx, { fields: { ...formOf(influx).fields, bucket: 'c' } })).toMatchObject({
    patch: { target: { bucket: 'c', more: 1 } },
  });
});

it('secrets stay where nothing is typed, are taken away where that is said, and are given again to another place', () => {
  const of = (next: Partial<ForwarderForm>) => forwarderPatch({ ...formOf(webhook), ...next }, webhook);
  expect(of({ secrets: { signingKey: 'new' } })).toEqual({ patch: { secrets: { signingKey: 'new' } } });
  expect(of({ removed: ['authorization'] })).toEqual({ patch: { secrets: { authorization: null } } });
  const { fields } = formOf(webhook);
  expect(of({ fields: { ...fields, url: 'https://a/elsewhere' } })).toHaveProperty('patch.target');
  expect(of({ fields: { ...fields, url: 'https://other/b' }, secrets: { signingKey: 'new' } })).toEqual({
    faults: { authorization: expect.stringContaining('another place') },
  });
  expect(of({ fields: { ...fields, url: fields['url']!.replace('https:', 'http:') } })).toHaveProperty('faults');
  expect(of({ kind: 'mqtt', fields: { url: 'mqtt://m' } })).toMatchObject({
    patch: { target: { kind: 'mqtt', url: 'mqtt://m' }, secrets: { authorization: null, signingKey: null } },
  });
});
