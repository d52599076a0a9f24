import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { addDevice, DEVICE_ID_PATTERN } from '../api/devices.ts';
import { toProblem } from '../api/problem.ts';
import { useServices } from '../app/services.ts';
import styles from './add-device-dialog.module.css';
import { NewDeviceToken } from './new-device-token.tsx';

interface AddDeviceDialogProps {
  readonly opened: boolean;
  /** Where it is to stand, unless something else is typed. */
  readonly group: string | undefined;
  readonly onClose: () => void;
}

export function AddDeviceDialog({ opened, group, onClose }: AddDeviceDialogProps) {
  const [added, setAdded] = useState(false);
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={added ? 'Device added' : 'Add a device'}
      size={added ? 'lg' : 'md'}
      closeOnClickOutside={!added}
      closeOnEscape={!added}
      closeButtonProps={{ 'aria-label': 'Close' }}
      onExitTransitionEnd={() => setAdded(false)}
    >
      <AddDevice within={group} onAdded={() => setAdded(true)} onClose={onClose} />
    </Modal>
  );
}

interface AddDeviceProps {
  readonly within: string | undefined;
  readonly onAdded: () => void;
  readonly onClose: () => void;
}

/** First the form, then the token: it is shown this once. */
function AddDevice({ within, onAdded, onClose }: AddDeviceProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  const [id, setId] = useState('');
  const [name, setName] = useState('');
  const [group, setGroup] = useState(within ?? '');
  const [fault, setFault] = useState('');
  const add = useMutation({
    mutationFn: addDevice.bind(null, client),
    onSuccess: () => {
      onAdded();
      void queries.invalidateQueries({ queryKey: ['devices'] });
      void queries.invalidateQueries({ queryKey: ['groups'] });
    },
    onError: (error) => {
      const problem = toProblem(error);
      setFault(`${problem.title}: ${problem.detail}`);
    },
  });
  if (add.data !== undefined) return <NewDeviceToken device={add.data} onClose={onClose} />;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (DEVICE_ID_PATTERN.test(id)) add.mutate({ id, name, group });
    else setFault('1 to 128 of A–Z a–z 0–9 : _ . -');
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <TextInput
        label="Device id"
        description="It is the device’s user name and part of its topic. It cannot be changed."
        placeholder="sensor123"
        data-autofocus
        spellCheck={false}
        autoComplete="off"
        value={id}
        error={fault === '' ? null : fault}
        onChange={(event) => {
          setId(event.currentTarget.value.trim());
          setFault('');
        }}
      />
      <TextInput
        label="Name (optional)"
        placeholder="Boiler, building 42"
        maxLength={200}
        autoComplete="off"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label="Group (optional)"
        placeholder="/acme/building-42"
        spellCheck={false}
        autoComplete="off"
        value={group}
        onChange={(event) => setGroup(event.currentTarget.value)}
      />
      <div className={styles.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={add.isPending}>
          Add device
        </Button>
      </div>
    </form>
  );
}
