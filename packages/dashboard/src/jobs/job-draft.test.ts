import { describe, expect, it } from 'vitest';
import { EMPTY_JOB, jobDraft } from './job-draft.ts';

const form = { ...EMPTY_JOB, id: 'update-42', target: { kind: 'group', value: '/acme' } as const };

describe('a job that is typed', () => {
  it('asks for nothing that was not typed', () => {
    expect(jobDraft(form)).toEqual({ draft: { id: 'update-42', targets: ['group:/acme'], document: { operation: '' } } });
  });

  it('has what was added and what is still in the field as targets, each once', () => {
    const chosen = ['fleet:north', 'group:/acme'];
    expect(jobDraft({ ...form, chosen })).toHaveProperty('draft.targets', chosen);
  });

  it('goes out by a rate, at a time, and stops when too many fail', () => {
    const answer = jobDraft({
      ...form,
      description: ' all of them ',
      isContinuous: true,
      document: '{"url":"https://fw"}',
      rate: 'growing',
      abortPercent: '5',
      timeoutMinutes: '30',
      retries: '2',
      startAt: '2027-01-01T10:00',
      endAt: '2027-01-02T10:00',
      endBehavior: 'CANCEL',
      windowCron: '0 2 * * *',
      timeZone: 'Europe/Berlin',
    });
    expect(answer).toEqual({
      draft: {
        id: 'update-42',
        targets: ['group:/acme'],
        targetSelection: 'continuous',
        document: { url: 'https://fw' },
        description: 'all of them',
        rollout: {
          maximumPerMinute: 1000,
          exponential: { baseRatePerMinute: 50, incrementFactor: 2, rateIncreaseCriteria: { numberOfSucceededThings: 50 } },
        },
        abort: {
          criteria: [{ failureType: 'ALL', action: 'CANCEL', thresholdPercentage: 5, minNumberOfExecutedThings: 20 }],
        },
        timeout: { inProgressMinutes: 30 },
        retry: { criteria: [{ failureType: 'ALL', numberOfRetries: 2 }] },
        schedule: {
          startTime: new Date('2027-01-01T10:00').getTime(),
          endTime: new Date('2027-01-02T10:00').getTime(),
          endBehavior: 'CANCEL',
          maintenanceWindows: [{ startTime: '0 2 * * *', durationMinutes: 120 }],
          timeZone: 'Europe/Berlin',
        },
      },
    });
  });

  it('says of each field what is wrong, and only of those that count', () => {
    const wrong = { ...EMPTY_JOB, id: 'a b', document: '[]', perMinute: '', abortPercent: '101', retries: '11' };
    const answer = jobDraft(wrong);
    expect('faults' in answer ? Object.keys(answer.faults).sort() : []).toEqual([
      'abortPercent',
      'document',
      'id',
      'retries',
      'target',
    ]);
    expect(jobDraft({ ...form, rate: 'constant', perMinute: '' })).toEqual({ faults: { perMinute: '1 to 10,000,000' } });
    const ended = { ...form, startAt: '2027-01-02T10:00', endAt: '2027-01-01T10:00' };
    expect(jobDraft(ended)).toHaveProperty('faults.endAt');
  });
});
