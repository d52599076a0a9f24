import { expect, it } from 'vitest';
import { EMPTY_FORWARDER, forwarderDraft } from './forwarder-draft.ts';

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
      fields: { brokers: 'a:1, b:2', topic: 't', username: 'u' },
      types: 'x,y',
      fromBeginning: true,
    }),
  ).toEqual({
    draft: {
      id: 'copy',
      target: { kind: 'kafka', brokers: ['a:1', 'b:2'], topic: 't', sasl: { mechanism: 'SCRAM-SHA-256', username: 'u' } },
      format: 'raw',
      filter: { types: ['x', 'y'] },
      startAt: 'beginning',
    },
  });
});

it('InfluxDB takes samples, of a bucket or of a database', () => {
  const influx = { ...form, kind: 'influxdb' as const, metrics: 'temp*', format: 'raw' as const };
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i', database: 'd' } })).toMatchObject({
    draft: { format: 'samples', filter: { metrics: ['temp*'] } },
  });
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i' } })).toHaveProperty('faults.bucket');
  expect(forwarderDraft({ ...influx, fields: { url: 'http://i', bucket: 'b' } })).toHaveProperty('faults.org');
});

it('says what is missing', () => {
  expect(forwarderDraft({ ...EMPTY_FORWARDER, id: 'a b' })).toEqual({
    faults: { id: expect.any(String), url: expect.any(String) },
  });
});
