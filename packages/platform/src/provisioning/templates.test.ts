import { describe, expect, it } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { readAwsTemplate } from './aws-template.ts';
import { GREENHOUSE } from './provisioning.fixture.ts';
import { RateLimiter } from './rate-limiter.ts';
import { checkTemplate } from './template-check.ts';
import { TemplateText } from './template-text.ts';

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('a text with parameters', () => {
  it.each([
    ['plain', 'plain'],
    ['${parameters.A}', '<A>'],
    ['x${parameters.A}y${parameters.B}z', 'x<A>y<B>z'],
    ['${parameters.A}${parameters.A}', '<A><A>'],
    ['$${parameters.A}', '${parameters.A}'],
    ['$$${parameters.A}', '$${parameters.A}'],
    ['a$b$', 'a$b$'],
    ['${parameters.AWS::IoT::Certificate::CommonName}', '<CN>'],
    ['', ''],
  ])('%j becomes %j', (text, expected) => {
    const values = { A: '<A>', B: '<B>', 'AWS::IoT::Certificate::CommonName': '<CN>' };
    expect(new TemplateText(text, 'f').fill(values)).toBe(expected);
  });

  it('is filled once: what a device says is no template', () => {
    expect(new TemplateText('${parameters.A}', 'f').fill({ A: '${parameters.B}', B: 'secret' })).toBe('${parameters.B}');
  });

  it.each(['${', '${}', '${parameters}', '${parameters.}', '${parameters.a b}', '${device.id}', '${parameters.A'])(
    '%j is none',
    (text) => {
      expect(codeOf(() => new TemplateText(text, 'f'))).toContain('is no parameter');
    },
  );
});

describe('a template', () => {
  const { compiled } = checkTemplate(GREENHOUSE);

  it.each([
    ['/acme', '/acme'],
    ['/', '/'],
    ['/acme/${parameters.Site}', '/acme'],
    ['/acme/b-${parameters.Site}', '/acme'],
    ['/acme/x/${parameters.Site}/y', '/acme/x'],
    ['/${parameters.Site}', '/'],
  ])('whose group is %s belongs to %s', (group, expected) => {
    expect(checkTemplate({ ...GREENHOUSE, device: { ...GREENHOUSE.device, group } }).compiled.group).toBe(expected);
  });

  it('takes defaults, does not look at what it does not know, and asks for what is missing', () => {
    expect(compiled.fill({ SerialNumber: '7', Other: 'x' })).toEqual({
      serial: '7',
      draft: { id: 'gh-7', name: 'Sensor 7', group: '/acme/kiel', tags: ['greenhouse'], attributes: { site: 'kiel' } },
      configuration: { intervalSec: 60, site: 'kiel' },
    });
    expect(codeOf(() => compiled.fill({ Site: 'oslo' }))).toBe('SerialNumber: it is missing');
  });

  it('keeps whatever a device may call a parameter out of its prototype', () => {
    const read = checkTemplate({
      ...GREENHOUSE,
      parameters: { SerialNumber: {}, Site: { default: 'kiel' }, constructor: { default: 'c' } },
      configuration: { a: '${parameters.constructor}' },
    });
    expect(read.compiled.fill({ SerialNumber: '7' }).configuration).toEqual({ a: 'c' });
    expect(codeOf(() => checkTemplate({ ...GREENHOUSE, configuration: { a: '${parameters.toString}' } }))).toContain('toString');
  });

  it('makes a configuration of bounded size', () => {
    const big = checkTemplate({ ...GREENHOUSE, configuration: { a: '${parameters.Site}'.repeat(100) } });
    expect(codeOf(() => big.compiled.fill({ SerialNumber: '7', Site: 'x'.repeat(60) }))).toBe('');
    const huge = checkTemplate({
      ...GREENHOUSE,
      device: { ...GREENHOUSE.device, group: '/acme', attributes: {} },
      configuration: { a: '${parameters.Site}'.repeat(100) },
    });
    expect(codeOf(() => huge.compiled.fill({ SerialNumber: '7', Site: 'x'.repeat(2_000) }))).toContain('more than');
  });
});

describe('an AWS template', () => {
  const certificate = {
    Type: 'AWS::IoT::Certificate',
    Properties: { CertificateId: { Ref: 'AWS::IoT::Certificate::Id' }, Status: 'ACTIVE' },
  };
  const thing = (properties: object = {}) => ({
    Type: 'AWS::IoT::Thing',
    Properties: { ThingName: { Ref: 'SerialNumber' }, ...properties },
  });
  const body = (resources: object = {}, more: object = {}) => ({
    Parameters: {
      SerialNumber: { Type: 'String' },
      'AWS::IoT::Certificate::Id': { Type: 'String' },
      Location: { Type: 'String', Default: 'here' },
    },
    Resources: { certificate, thing: thing(), ...resources },
    ...more,
  });

  it('of the developer guide becomes one of ours that is in order', () => {
    const read = readAwsTemplate(
      body(
        {
          policy: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: 'FleetPolicy' } },
          thing: thing({
            ThingName: { 'Fn::Join': ['', ['ThingPrefix_', { Ref: 'SerialNumber' }]] },
            ThingTypeName: 'lightbulb',
            ThingGroups: ['v1'],
            AttributePayload: { version: 'v1', location: { Ref: 'Location' } },
          }),
        },
        {
          DeviceConfiguration: { FallbackUrl: 'https://www.example.com/test-site', literal: '${x}', nested: { a: [1, '${y}'] } },
        },
      ),
    );
    expect(read).toEqual({
      parameters: { SerialNumber: {}, Location: { default: 'here' } },
      serial: 'SerialNumber',
      device: {
        id: 'ThingPrefix_${parameters.SerialNumber}',
        type: 'lightbulb',
        group: '/v1',
        attributes: { version: 'v1', location: '${parameters.Location}' },
      },
      policies: ['FleetPolicy'],
      configuration: { FallbackUrl: 'https://www.example.com/test-site', literal: '$${x}', nested: { a: [1, '$${y}'] } },
    });
    expect(checkTemplate(read).compiled.fill({ SerialNumber: '9' })).toMatchObject({
      draft: { id: 'ThingPrefix_9', attributes: { location: 'here' } },
      configuration: { literal: '${x}', nested: { a: [1, '${y}'] } },
    });
    expect(readAwsTemplate(JSON.stringify(body()))).toMatchObject({ device: { id: '${parameters.SerialNumber}' } });
  });

  it.each<[string, unknown, string]>([
    ['another function', body({ thing: thing({ ThingName: { 'Fn::Sub': '${SerialNumber}' } }) }), 'Fn::Sub is not understood'],
    [
      'a document of a policy',
      body({ p: { Type: 'AWS::IoT::Policy', Properties: { PolicyDocument: {} } } }),
      'as a policy of its own',
    ],
    [
      'a policy that a device names',
      body({ p: { Type: 'AWS::IoT::Policy', Properties: { PolicyName: { Ref: 'Location' } } } }),
      'it must be a plain text',
    ],
    ['a type that a device names', body({ thing: thing({ ThingTypeName: { Ref: 'Location' } }) }), 'it must be a plain text'],
    ['several groups', body({ thing: thing({ ThingGroups: ['a', 'b'] }) }), 'a device stands in one group'],
    ['a billing group', body({ thing: thing({ BillingGroup: 'b' }) }), 'BillingGroup'],
    ['override settings', body({ thing: { ...thing(), OverrideSettings: { AttributePayload: 'MERGE' } } }), 'OverrideSettings'],
    ['an inactive certificate', body({ certificate: { ...certificate, Properties: { Status: 'INACTIVE' } } }), 'becomes active'],
    ['no certificate', { ...body(), Resources: { thing: thing() } }, 'exactly one AWS::IoT::Certificate'],
    ['two things', body({ other: thing() }), 'exactly one AWS::IoT::Thing'],
    ['other resources', body({ x: { Type: 'AWS::S3::Bucket', Properties: {} } }), 'there is no AWS::S3::Bucket here'],
    [
      'the id of the certificate in a name',
      body({ thing: thing({ ThingName: { Ref: 'AWS::IoT::Certificate::Id' } }) }),
      'can only be that of the certificate',
    ],
    ['a number as a parameter', { ...body(), Parameters: { SerialNumber: { Type: 'Number' } } }, 'Parameters.SerialNumber.Type'],
    ['no JSON', '{', 'it is not JSON'],
    ['a list', [], 'the AWS template is not taken'],
  ])('with %s is refused, with the reason', (_, template, reason) =>
    expect(codeOf(() => readAwsTemplate(template))).toContain(reason),
  );
});

describe('a rate', () => {
  it('holds for each key alone, evenly over the minute', () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock);
    const taken = (key: string, perMinute: number, times: number) =>
      Array.from({ length: times }, () => limiter.take(key, perMinute)).filter(Boolean).length;
    expect([taken('a', 60, 100), taken('b', 60, 5)]).toEqual([10, 5]);
    let inAMinute = 0;
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      inAMinute += taken('a', 60, 100);
    }
    expect(inAMinute).toBe(60);
    expect(taken('c', 6_000, 1_000)).toBe(100);
    expect(taken('d', 3, 1_000)).toBe(3);
  });

  it('is remembered of a bounded number of keys', () => {
    const limiter = new RateLimiter(new FakeClock());
    expect(Array.from({ length: 3 }, () => limiter.take('first', 1))).toEqual([true, false, false]);
    for (let i = 0; i < 20_000; i++) limiter.take(`k${i}`, 1);
    expect(limiter.take('first', 1)).toBe(true);
  });
});
