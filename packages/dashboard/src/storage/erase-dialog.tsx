import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { eraseTelemetry } from '../api/archive.ts';
import { useServices } from '../app/services.ts';
import dialog from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';

export function EraseDialog({ opened, onClose }: { readonly opened: boolean; readonly onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Erase all telemetry of a device" closeButtonProps={{ 'aria-label': 'Close' }}>
      <EraseFields onClose={onClose} />
    </Modal>
  );
}

function EraseFields({ onClose }: { readonly onClose: () => void }) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [device, setDevice] = useState('');
  const [again, setAgain] = useState('');
  const erase = useMutation({
    mutationFn: eraseTelemetry.bind(null, client),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['erasures', 'audit', 'latest']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (device !== '' && device === again) erase.mutate(device);
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      <p>
        Points, hours, days and what is archived of it are gone for good. The device itself stays, and what it sends from now on
        is stored.
      </p>
      <TextInput
        label="Id of the device"
        data-autofocus
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={device}
        onChange={(event) => setDevice(event.currentTarget.value.trim())}
      />
      <TextInput
        label="The id once more"
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        value={again}
        error={again !== '' && !device.startsWith(again) ? 'This is another id.' : null}
        onChange={(event) => setAgain(event.currentTarget.value.trim())}
      />
      {erase.error !== null && <ProblemNotice error={erase.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" color="brick" disabled={device === '' || device !== again} loading={erase.isPending}>
          Erase it
        </Button>
      </div>
    </form>
  );
}
