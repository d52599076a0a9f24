import type { ApiClient } from './client.ts';
import { asObject, number, objects, optionalNumber, optionalText, text, texts, truth, type Json } from './json.ts';

export interface Template {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly group: string;
  readonly deviceId: string;
  readonly deviceType: string | undefined;
  readonly deviceGroup: string;
  readonly policies: readonly string[];
  readonly manifestRequired: boolean;
  readonly hookUrl: string | undefined;
  readonly updatedAtMs: number;
}

export interface ClaimBatch {
  readonly name: string;
  readonly template: string;
  readonly group: string;
  readonly maxCount: number;
  readonly enrolled: number;
  readonly ratePerMinute: number;
  readonly expiresAtMs: number;
  readonly stoppedAtMs: number | undefined;
}

export async function fetchTemplates(client: ApiClient, signal?: AbortSignal): Promise<readonly Template[]> {
  return objects(asObject(await client.get('/provisioning/templates', { signal }), 'templates'), 'items', templateFrom);
}

export async function fetchClaimBatches(client: ApiClient, signal?: AbortSignal): Promise<readonly ClaimBatch[]> {
  return objects(asObject(await client.get('/provisioning/claims', { signal }), 'claims'), 'items', claimFrom);
}

/** Nobody enrols with it from now on; it cannot be started again. */
export async function stopClaimBatch(client: ApiClient, name: string): Promise<ClaimBatch> {
  return claimFrom(asObject(await client.post(`/provisioning/claims/${encodeURIComponent(name)}/stop`, undefined), 'claim'));
}

function templateFrom(source: Json): Template {
  const device = asObject(source['device'], 'device');
  return {
    name: text(source, 'name'),
    description: text(source, 'description'),
    enabled: truth(source, 'enabled'),
    group: text(source, 'group'),
    deviceId: text(device, 'id'),
    deviceType: optionalText(device, 'type'),
    deviceGroup: text(device, 'group'),
    policies: texts(source, 'policies'),
    manifestRequired: truth(source, 'manifestRequired'),
    hookUrl: source['hook'] === undefined ? undefined : text(asObject(source['hook'], 'hook'), 'url'),
    updatedAtMs: number(source, 'updatedAtMs'),
  };
}

function claimFrom(source: Json): ClaimBatch {
  return {
    name: text(source, 'name'),
    template: text(source, 'template'),
    group: text(source, 'group'),
    maxCount: number(source, 'maxCount'),
    enrolled: number(source, 'enrolled'),
    ratePerMinute: number(source, 'ratePerMinute'),
    expiresAtMs: number(source, 'expiresAtMs'),
    stoppedAtMs: optionalNumber(source, 'stoppedAtMs'),
  };
}
