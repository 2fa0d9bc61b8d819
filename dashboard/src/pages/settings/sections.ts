export const sections: { id: string; title: string }[] = [];
