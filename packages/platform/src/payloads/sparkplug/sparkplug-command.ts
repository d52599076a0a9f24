import protobuf from 'protobufjs/minimal.js';

const DATATYPE_BOOLEAN = 11;

/** Payload of the NCMD that asks a node for its births (Sparkplug 3.0.0, section 6.4.8). */
export function rebirthCommand(nowMs: number): Uint8Array {
  const writer = protobuf.Writer.create();
  writer.uint32(8).uint64(nowMs);
  writer.uint32(18).fork();
  writer.uint32(10).string('Node Control/Rebirth');
  writer.uint32(24).uint64(nowMs);
  writer.uint32(32).uint32(DATATYPE_BOOLEAN);
  writer.uint32(112).bool(true);
  writer.ldelim();
  return writer.finish();
}
