import { expect, test } from 'vitest';
import { jobBody, rolloutOf } from './job-fields.ts';

test('options become the job that the API takes', () => {
  const body = jobBody('j1', {
    target: ['group:/acme', 'device:a'],
    document: '{"operation":"install"}',
    parameter: ['version=2.0', 'url=https://x/?a=b'],
    continuous: true,
    rate: '100',
    timeout: '60',
    retries: '2',
    abort: '10%/50',
    start: 'now+1h',
    end: 'now+2d',
    window: ['0 2 * * 1-5 / 120', '0 14 * * 6/30'],
    zone: 'Europe/Berlin',
  });
  expect(body).toEqual({
    id: 'j1',
    targets: ['group:/acme', 'device:a'],
    document: { operation: 'install' },
    parameters: { version: '2.0', url: 'https://x/?a=b' },
    targetSelection: 'continuous',
    rollout: { maximumPerMinute: 100 },
    timeout: { inProgressMinutes: 60 },
    retry: { criteria: [{ failureType: 'ALL', numberOfRetries: 2 }] },
    abort: {
      criteria: [{ failureType: 'ALL', action: 'CANCEL', thresholdPercentage: 10, minNumberOfExecutedThings: 50 }],
    },
    schedule: {
      startTime: 'now+1h',
      endTime: 'now+2d',
      maintenanceWindows: [
        { startTime: '0 2 * * 1-5', durationMinutes: 120 },
        { startTime: '0 14 * * 6', durationMinutes: 30 },
      ],
      timeZone: 'Europe/Berlin',
    },
  });
});

test('a rate that grows is written in one word', () => {
  expect(rolloutOf('10*1.5/100..1000')).toEqual({
    maximumPerMinute: 1000,
    exponential: { baseRatePerMinute: 10, incrementFactor: 1.5, rateIncreaseCriteria: { numberOfNotifiedThings: 100 } },
  });
  expect(rolloutOf('10*2/100')).not.toHaveProperty('maximumPerMinute');
});

test('what the options say comes on top of what --config says', () => {
  const config = '{"document":{"a":1},"targets":["group:/"],"schedule":{"timeZone":"UTC","endTime":"now+1d"}}';
  expect(jobBody('j1', { config, zone: 'Asia/Tokyo' })).toEqual({
    id: 'j1',
    document: { a: 1 },
    targets: ['group:/'],
    schedule: { timeZone: 'Asia/Tokyo', endTime: 'now+1d' },
  });
});

test.each([
  [{ document: '{}' }, /--target/],
  [{ target: ['device:a'] }, /--document/],
  [{ target: ['device:a'], document: '[]' }, /JSON object/],
  [{ target: ['device:a'], document: '@/no/such/file' }, /ENOENT/],
  [{ target: ['device:a'], document: '{}', rate: 'fast' }, /--rate/],
  [{ target: ['device:a'], document: '{}', abort: 'ten' }, /--abort/],
  [{ target: ['device:a'], document: '{}', window: ['at night'] }, /--window/],
  [{ target: ['device:a'], document: '{}', parameter: ['version'] }, /--parameter/],
  [{ target: ['device:a'], document: '{}', timeout: '1h' }, /--timeout/],
])('%j is refused with a hint', (options, hint) => {
  expect(() => jobBody('j1', options)).toThrow(hint);
});
