import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, settingKeys, variableOf } from './config.ts';

describe('configuration', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-config-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const load = (assignments: string[], environment: Record<string, string> = {}, file?: object) => {
    if (file === undefined) return loadConfig({ environment, assignments });
    writeFileSync(join(folder, 'selsyn.json'), JSON.stringify(file));
    return loadConfig({ environment, assignments, file: join(folder, 'selsyn.json') });
  };

  it('binds every listener to loopback by default', () => {
    const { config } = load([]);
    expect([config.mqtt.host, config.http.host]).toEqual(['127.0.0.1', '127.0.0.1']);
    expect([config.mqtt.port, config.http.port, config.access.mode, config.log.sync]).toEqual([1883, 8080, 'token', 'always']);
  });

  it('lets --set win over the environment, and the environment over the file', () => {
    const file = { mqtt: { port: 1, host: '127.0.0.2' }, http: { port: 1 } };
    const environment = { SELSYN_MQTT_PORT: '2', SELSYN_HTTP_PORT: '2' };
    const { config } = load(['mqtt.port=3'], environment, file);
    expect([config.mqtt.port, config.http.port, config.mqtt.host]).toEqual([3, 2, '127.0.0.2']);
  });

  it('has a variable for every setting, with and without the inner underscores', () => {
    expect(variableOf('access.adminKey')).toBe('SELSYN_ACCESS_ADMIN_KEY');
    for (const variable of ['SELSYN_ACCESS_ADMIN_KEY', 'SELSYN_ACCESS_ADMINKEY']) {
      expect(load([], { [variable]: 'x'.repeat(20) }).config.access.adminKey).toBe('x'.repeat(20));
    }
    expect(new Set(settingKeys().map(variableOf)).size).toBe(settingKeys().length);
  });

  it('stops at an unknown key, wherever it stands, and names it', () => {
    expect(() => load(['mqtt.prot=1'])).toThrow(/mqtt\.prot/);
    expect(() => load([], {}, { mqtt: { prot: 1 } })).toThrow(/mqtt\.prot/);
    expect(() => load([], {}, { mqqt: {} })).toThrow(/mqqt/);
  });

  it('reports a variable that no setting has, without stopping: others may use the prefix', () => {
    expect(load([], { SELSYN_SERVICE_HOST: 'x', SELSYN_KEY: 'k' }).unknownVariables).toEqual(['SELSYN_SERVICE_HOST']);
  });

  it.each([
    ['mqtt.port=70000'],
    ['mqtt.port=abc'],
    ['gateway.threads=0'],
    ['log.sync=never'],
    ['access.adminKey=short'],
    ['noequals'],
  ])('refuses %s', (assignment) => {
    expect(() => load([assignment])).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it('refuses open access where a listener is not on loopback', () => {
    expect(load(['access.mode=open']).config.access.mode).toBe('open');
    expect(() => load(['access.mode=open', 'mqtt.host=0.0.0.0'])).toThrow(/loopback/);
    expect(() => load(['access.mode=open', 'http.host=::'])).toThrow(/loopback/);
    expect(() => load(['access.mode=open', 'tls.host=0.0.0.0', 'ws.host=10.0.0.1'])).toThrow(
      /tls\.host and ws\.host must be on loopback/,
    );
    expect(() => load(['access.mode=open', 'https.host=0.0.0.0'])).toThrow(/https\.host must be on loopback/);
    expect(load(['access.mode=open', 'https.host=0.0.0.0', 'https.enabled=false']).config.https.enabled).toBe(false);
    expect(load(['access.mode=open', 'tls.host=0.0.0.0', 'tls.enabled=false']).config.tls.enabled).toBe(false);
  });

  it('reads the policy of open access once, and says what is wrong with it', () => {
    expect(load([]).config.access.openPolicy).toEqual({ denySubscribe: [], denyPublish: [] });
    const policy = '{"denySubscribe":["a/b"],"denyPublish":["x/#"]}';
    expect(load([`access.openPolicy=${policy}`]).config.access.openPolicy).toEqual(JSON.parse(policy));
    expect(load([], {}, { access: { openPolicy: policy } }).config.access.openPolicy).toEqual(JSON.parse(policy));
    expect(() => load(['access.openPolicy={"deny":[]}'])).toThrow(
      'access.openPolicy has an unknown list deny: there are denySubscribe and denyPublish',
    );
    expect(() => load(['access.openPolicy={"denyPublish":["a#"]}'])).toThrow(/access\.openPolicy has "a#" .*not a topic filter/);
  });

  it('cannot be changed once loaded', () => {
    const { config } = load([]);
    expect(() => ((config.mqtt as { port: number }).port = 1)).toThrow(TypeError);
  });

  it('says of a wrong value what it must be, in plain words, and what was given; never a key', () => {
    expect(() => load(['mqtt.port=abc'])).toThrow('mqtt.port must be a number, not "abc"');
    expect(() => load(['mqtt.port=99999'])).toThrow('mqtt.port must be at most 65535, not "99999"');
    expect(() => load(['mqtt.port=1.5'])).toThrow('mqtt.port must be a whole number, not "1.5"');
    expect(() => load(['gateway.threads=0'])).toThrow('gateway.threads must be more than 0, not "0"');
    expect(() => load(['access.mode=opn'])).toThrow('access.mode must be token or open, not "opn"');
    expect(() => load(['access.adminKey=short'])).toThrow(/access\.adminKey must be 16 characters long or longer$/);
  });

  it.each([
    ['mqtt.prot', 'mqtt.port, mqtt.proxyProtocol'],
    ['mqtt.hots', 'mqtt.host'],
    ['mqt.port', 'mqtt.port, tls.port, ws.port, http.port, https.port'],
    ['retentionhours', 'log.retentionHours'],
    ['ws.bananas', 'ws.enabled, ws.host, ws.port, ws.tlsPort'],
  ])('asks for %s whether a setting alike was meant, the nearest first, or else one of the section', (key, proposed) => {
    expect(() => load([`${key}=1`])).toThrow(`--set ${key}: there is no setting ${key} (did you mean ${proposed}?)`);
  });

  it('says what is wrong with the URLs that devices are told', () => {
    expect(load(['provisioning.endpoints={"mqtts":"mqtts://x"}']).config.provisioning.endpoints).toEqual({ mqtts: 'mqtts://x' });
    expect(() => load(['provisioning.endpoints={"mqtts":"https://x"}'])).toThrow(
      'provisioning.endpoints must be an object in which mqtts begins with mqtts://, not https://x',
    );
  });

  it('says when a file is missing', () => {
    expect(() => loadConfig({ environment: {}, assignments: [], file: join(folder, 'none.json') })).toThrow(
      /none\.json cannot be read \(ENOENT\)$/,
    );
  });

  it('says which file is not JSON', () => {
    writeFileSync(join(folder, 'bad.json'), '{');
    expect(() => loadConfig({ environment: {}, assignments: [], file: join(folder, 'bad.json') })).toThrow(/bad\.json/);
  });
});
