// A benchmark's page has its charts and tables in it; only the theme and the buttons need a script.

startTheme();
startCopying();
document.documentElement.dataset.ready = "yes";
